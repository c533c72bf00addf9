-- Routing of the trial archive: every MR series that is complete goes to the node.
-- What the node itself sends (segmentations) is not MR and stays.
function OnStableSeries(seriesId, tags, metadata)
   if tags['Modality'] == 'MR' then
      local order = { Resources = { seriesId }, Synchronous = false }
      RestApiPost('/modalities/spine-node/store', DumpJson(order, true))
   end
end

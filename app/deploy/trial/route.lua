-- Routing of the trial archive: every MR series that is complete goes to the node.
-- What the node itself sent (segmentations) is not MR and stays.
function OnStableSeries(seriesId, tags, metadata)
   if tags['Modality'] == 'MR' then
      SendToModality(seriesId, 'spine-node')
   end
end

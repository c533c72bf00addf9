"""Whether a result may leave: named rules on masks, image and the networks' doubt."""

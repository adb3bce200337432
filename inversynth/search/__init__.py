"""Search at inference time: from a posterior to the patch that makes a sound."""

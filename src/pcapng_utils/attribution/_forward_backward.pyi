from pcapng_utils.attribution.align import Band, Weights
from pcapng_utils.attribution.forward_backward import Row

def forward_backward(band: Band, weights: Weights, learning: bool) -> tuple[list[Row], list[Row], list[Row], float]: ...

"""What draws say once they are aligned, for people who use ArviZ."""

from .diagnose import Diagnosis as Diagnosis
from .diagnose import diagnose as diagnose
from .rebasin import rebasin as rebasin
from .to_zarr import rebasin_to_zarr as rebasin_to_zarr

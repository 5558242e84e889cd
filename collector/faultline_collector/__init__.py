"""Faultline's collector.

Its matrices are small: OpenBLAS's threads wait for each other longer on a busy machine than they calculate.
numpy reads how many there are to be when it is first imported. And pydantic would look for plugins in each
package that is installed, whenever a program begins.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

"""What runs before Airflow exists, and only that. See README.md in this folder."""

import sys
from pathlib import Path

# The component model lives with Airflow's plugins; Airflow puts that folder on the path in the same way.
sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "plugins"))

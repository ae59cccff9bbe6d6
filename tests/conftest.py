"""Programs that tests start find the package ``helpers`` as the tests do.

No test sees the students in the user's folder.
"""

import os
import tempfile
from pathlib import Path

os.environ["VITRION_STUDENTS"] = tempfile.mkdtemp(prefix="students-")

os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
)

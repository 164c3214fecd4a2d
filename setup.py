"""What setup.cfg cannot say: a package index shows README, which stands there without the files that it points at."""

import re
from pathlib import Path

from setuptools import setup

RELATIVE = r"\((?!https?:|#)[^)\s]+\)"

text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
text = re.sub(rf"^!\[[^\]]*\]{RELATIVE}\n+", "", text, flags=re.M)  # an image goes
text = re.sub(rf"\[([^\]\n]+)\]{RELATIVE}", r"\1", text)  # a link becomes its words

setup(long_description=text)

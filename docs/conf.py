"""How Sphinx builds the documentation: ``make docs``."""

from importlib.metadata import version as installed_version

project = "engagekit"
author = "engagekit contributors"
copyright = "engagekit contributors"
release = version = installed_version("engagekit")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
root_doc = "index"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# What a class offers to its neighbours in the package is not for its users.
autodoc_default_options = {"members": True, "exclude-members": "faults, keys, noun"}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False
maximum_signature_line_length = 80
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "engagekit"
html_copy_source = False
html_show_sourcelink = False

"""The five apps live here, one folder each; `buttress apps new` writes yours outside."""

"""The tabs of the dashboard, one module each; `charts` draws for all of them."""

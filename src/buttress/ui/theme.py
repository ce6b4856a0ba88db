"""How the workspace looks, and how Streamlit must be set up to serve it safely.

Streamlit reads neither its environment variables nor a command line when it is mounted in another
application, so everything is set here.
"""

from __future__ import annotations

from streamlit import config

SAFE = {
    # The text of an exception may hold data: it goes to the log, not to the browser.
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    "browser.gatherUsageStats": False,
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.enableAgentApi": False,
    # The gate tells who is signed in, and lets nobody else say so.
    "server.trustedUserHeaders": {"x-buttress-sign-in": "sign_in"},
    "server.maxUploadSize": 25,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "runner.magicEnabled": False,
    # Looking at every object after each run of each part holds up everybody else's page: with ten
    # pages open it was most of what the process did. Python collects when there is enough to.
    "runner.postScriptGC": False,
    "logger.level": "warning",
    "logger.enableRich": False,
}

SHAPE = {
    "baseFontSize": 15,
    "baseRadius": "0.5rem",
    "paddingTop": "2.5rem",
    "headingFontSizes": ["1.9rem", "1.35rem", "1.1rem", "1rem", "0.9rem", "0.85rem"],
    "headingFontWeights": [650, 600, 600, 600, 600, 600],
    "metricValueFontSize": "1.6rem",
    "metricValueFontWeight": 600,
    "codeFontSize": "0.82rem",
    "linkUnderline": False,
    "showSidebarBorder": True,
}

LIGHT = {
    "primaryColor": "#2f4bb8",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f4f5f8",
    "textColor": "#1b1f2a",
    "borderColor": "#e1e4ea",
    "greenColor": "#1f8a5b",
    "orangeColor": "#c97a12",
    "redColor": "#c8372d",
    "blueColor": "#2f4bb8",
    "codeTextColor": "#1b1f2a",
    "chartCategoricalColors": ["#3d5bd0", "#d58a1f", "#1f8a5b", "#8a5cc7", "#c8372d", "#6b7280"],
}

DARK = {
    "primaryColor": "#8ea4ff",
    "backgroundColor": "#12141a",
    "secondaryBackgroundColor": "#1b1e27",
    "textColor": "#e7e9ef",
    "borderColor": "#2c313d",
    "greenColor": "#46c08a",
    "orangeColor": "#eba94a",
    "redColor": "#f2766b",
    "blueColor": "#8ea4ff",
    "codeTextColor": "#e7e9ef",
    "chartCategoricalColors": ["#7f97fb", "#eba94a", "#46c08a", "#b794f0", "#f2766b", "#9aa3b2"],
}

STYLE = """
<style>
  .stMainBlockContainer { max-width: 74rem; }
  .stMetric, .stDataFrame, table { font-variant-numeric: tabular-nums; }
  [class*="st-key-verdict-"] { border-left-width: 4px !important; }
  .st-key-verdict-green { border-left-color: #2b9a67 !important; }
  .st-key-verdict-orange { border-left-color: #d58a1f !important; }
  .st-key-verdict-red { border-left-color: #d4473c !important; }
  .st-key-verdict-blue { border-left-color: #5f78e6 !important; }
  /* Streamlit writes white on the primary colour, which is light where the page is dark. */
  button[kind^="primary"], [data-tag], [data-tag] * {
    color: light-dark(#ffffff, #12141a) !important;
  }
  /* Names of people are no addresses to write to. */
  a[href^="mailto:"] { color: inherit !important; pointer-events: none; text-decoration: none; }
  a.way-out { color: inherit; text-underline-offset: 0.2em; }
  [data-testid="stSidebarUserContent"] { padding-bottom: 1.5rem; }
  [class*="st-key-verdict-"] h2 { padding: 0 0 0.4rem 0; }
  @media (max-width: 640px) {
    .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
    h1 { font-size: 1.6rem !important; }
  }
</style>
"""

SHAPE_OF_MARK = "M2 29V5h7v24H2zm9 0c0-9 4-16 13-19v5c-5 3-7 8-7 14h-6zm15 0V5h4v24h-4z"

MARK = f"""
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32">
  <path fill="#5f78e6" d="{SHAPE_OF_MARK}"/>
</svg>
"""

LOGO = f"""
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 148 32" width="148" height="32">
  <path fill="#5f78e6" d="{SHAPE_OF_MARK}"/>
  <text x="40" y="23" font-family="Source Sans 3, Segoe UI, Helvetica, Arial, sans-serif"
    font-size="20" font-weight="600" fill="#5f78e6">Buttress</text>
</svg>
"""


def apply_theme() -> None:
    """Set Streamlit's options for this process, over whatever a configuration file says."""
    for option, value in SAFE.items():
        config.set_option(option, value)
    for name, shape in SHAPE.items():
        config.set_option(f"theme.{name}", shape)
    for theme, colours in (("light", LIGHT), ("dark", DARK)):
        for name, colour in colours.items():
            config.set_option(f"theme.{theme}.{name}", colour)

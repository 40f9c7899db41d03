"""How the report looks; inline, since the report is one file."""

STYLE = """\
:root { color-scheme: light dark; --text: #1c2024; --soft: #60646c; --ground: #fcfcfd; --card: #fff; --line: #e3e4e8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #edeef0; --soft: #a5a8b0; --ground: #111214; --card: #18191b; --line: #2c2e33; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 3rem 1.25rem 5rem; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.02em; overflow-wrap: break-word; }
h2 { margin: 2.75rem 0 0.9rem; font-size: 1.15rem; letter-spacing: -0.01em; }
p.soft, figcaption { color: var(--soft); font-size: 0.9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.45rem 0.9rem 0.45rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--soft); }
td { overflow-wrap: break-word; }
code, pre { font: 0.85rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { margin: 0; padding: 0.9rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  white-space: pre-wrap; overflow-wrap: break-word; }
figure { margin: 0 0 1.25rem; }
figure img, figure video { display: block; width: 100%; background: #fff;
  border: 1px solid var(--line); border-radius: 10px; }
figcaption { margin-top: 0.4rem; }
details summary { cursor: pointer; color: var(--soft); margin-bottom: 0.6rem; }
"""

"""The style sheet of the report: light and dark, readable Chinese, narrow screens."""

CSS = """
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1d2126;--quiet:#68707a;--line:#e4e6e8;--grid:#eceeef;
--main:#2563b8;--raw:#a9c4e6;--track:#e6e9ec;--del:#fbdcd8;--delink:#9b2417;--ins:#d6efdc;--insink:#17622f;
--warn:#8a5a00;--warnbg:#fdf0d3}
@media(prefers-color-scheme:dark){:root{--bg:#15181b;--card:#1c2024;--ink:#e4e7ea;--quiet:#98a1aa;--line:#30363c;
--grid:#292e33;--main:#74aef5;--raw:#365478;--track:#30363c;--del:#572520;--delink:#ffb9b0;--ins:#1d4429;
--insink:#a5e5b7;--warn:#f0c674;--warnbg:#443513}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","PingFang SC","Microsoft YaHei","Noto Sans CJK SC","Source Han Sans SC",sans-serif}
main{max-width:1280px;margin:0 auto;padding:36px 24px 72px}
h1{font-size:29px;line-height:1.2;letter-spacing:-.015em;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:18px;margin:40px 0 12px}h3{font-size:14px;margin:0 0 6px}h3 .quiet{font-weight:400;margin-left:4px}
.quiet{color:var(--quiet)}p{margin:0 0 12px}.small{font-size:13px}
.chips{display:grid;grid-template-columns:repeat(auto-fit,minmax(164px,1fr));gap:12px;margin:22px 0 0}
.chip,.card{background:var(--card);border:1px solid var(--line);border-radius:10px}
.chip{padding:10px 14px;overflow-wrap:anywhere}
.chip b{display:block;font-size:17px;font-weight:600;line-height:1.35;font-variant-numeric:tabular-nums}
.chip span{color:var(--quiet);font-size:12px}
.card{padding:14px 16px;min-width:0}
.pair{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,540px),1fr));gap:16px;align-items:start}
.scores{grid-template-columns:repeat(auto-fit,minmax(min(100%,600px),1fr))}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th{font-size:12px;font-weight:500;color:var(--quiet);text-align:left;padding:4px 5px;
border-bottom:1px solid var(--line);white-space:nowrap}
td{padding:5px;border-bottom:1px solid var(--grid);white-space:nowrap}tr:last-child td{border-bottom:0}
tr.next td{border-bottom-color:transparent}.num{text-align:right}
th:first-child,td:first-child{padding-left:0}th:last-child,td:last-child{padding-right:0}
.bar{width:90px;height:16px;display:block}.track{fill:var(--track)}.fill{fill:var(--main)}
.whisker{stroke:var(--ink);stroke-width:1.3;fill:none}
.chart{width:100%;height:auto;display:block}.grid{stroke:var(--grid)}.axis{stroke:var(--quiet)}
.tick{fill:var(--quiet);font-size:11.5px;font-variant-numeric:tabular-nums}
polyline{fill:none;stroke-linejoin:round}polyline.main{stroke:var(--main);stroke-width:2}
polyline.raw{stroke:var(--raw);stroke-width:1}.dot{fill:var(--main)}
.hover rect{fill:transparent}.hover circle{fill:var(--main);opacity:0}.hover:hover circle{opacity:1}
details{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:0 0 10px}
summary{cursor:pointer;padding:11px 16px;font-weight:600;overflow-wrap:anywhere}
summary span{font-weight:400;color:var(--quiet);margin-left:8px}
.example{padding:14px 16px;border-top:1px solid var(--line)}
.example header{display:flex;flex-wrap:wrap;gap:4px 14px;font-size:12.5px;color:var(--quiet);margin-bottom:6px}
.text{white-space:pre-wrap;overflow-wrap:anywhere}.prompt{color:var(--quiet);margin:0 0 10px}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:12px}
.side{background:var(--bg);border-radius:8px;padding:8px 12px;min-width:0}
.side small{display:block;color:var(--quiet);font-size:11.5px;margin-bottom:2px}
del,ins{text-decoration:none;border-radius:3px;padding:1px 1px}
del{background:var(--del);color:var(--delink)}ins{background:var(--ins);color:var(--insink)}
.issue{display:inline-block;background:var(--warnbg);color:var(--warn);border-radius:5px;font-size:12.5px;
padding:1px 8px;margin:8px 6px 0 0;overflow-wrap:anywhere}
pre{margin:0;padding:4px 16px 16px;font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Noto Sans Mono CJK SC",
monospace;white-space:pre-wrap;overflow-wrap:anywhere}
.heat td{border-bottom:0}.heat th{text-align:right}.heat th:first-child{text-align:left}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:0}
dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}
@media(max-width:640px){main{padding:20px 14px 48px}.sides{grid-template-columns:1fr}h1{font-size:24px}
dl{grid-template-columns:1fr}dd{margin-bottom:6px}.bar{width:84px}}
@media print{details{break-inside:avoid}body{background:#fff}}
"""

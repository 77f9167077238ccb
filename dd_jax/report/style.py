"""The page's style sheet: one column, system type, light and dark."""

from dd_jax.report import cost, curves

SHEET = (
  curves.PALETTE
  + curves.STYLE
  + cost.STYLE
  + """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',
Arial,sans-serif;font-variant-numeric:tabular-nums}
main,footer{max-width:1080px;margin:0 auto;padding:0 28px}
main{padding-top:56px}
h1,h2,h3,p,dl,dd,figure,table,ol,pre{margin:0;padding:0}
h1{font-size:clamp(28px,5vw,42px);line-height:1.12;letter-spacing:-.022em;
font-weight:680;text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:21px;line-height:1.3;letter-spacing:-.01em;font-weight:650;
margin-bottom:6px}
h3{font-size:15px;font-weight:650;margin-bottom:10px}
section{padding-top:52px}
.lead{color:var(--muted);max-width:68ch;margin-bottom:20px;
overflow-wrap:anywhere}
.eyebrow{color:var(--accent);font-size:13px;font-weight:650;
letter-spacing:.06em;text-transform:uppercase;margin-bottom:12px}
.subtitle{font-size:18px;color:var(--muted);margin-top:12px;max-width:60ch}
code,pre,.mono{font-family:ui-monospace,'SF Mono',SFMono-Regular,Menlo,
Consolas,'DejaVu Sans Mono',monospace;font-size:.88em}
.hero{display:grid;grid-template-columns:auto 1fr;gap:20px 56px;
align-items:center;margin-top:36px;padding:28px 0;
border-top:1px solid var(--line);border-bottom:1px solid var(--line)}
.big{font-size:clamp(56px,11vw,84px);line-height:1;font-weight:640;
letter-spacing:-.04em;white-space:nowrap}
.big small{font-size:.42em;font-weight:500;color:var(--muted);
letter-spacing:-.01em;margin-left:.14em}
.big+p{color:var(--muted);margin-top:10px;max-width:34ch}
dl>div{display:flex;gap:16px;justify-content:space-between;padding:7px 0;
border-bottom:1px solid var(--line)}
dl>div:last-child{border-bottom:0}
dt{color:var(--muted);flex:none;max-width:55%;overflow-wrap:anywhere}
dd{text-align:right;overflow-wrap:anywhere;min-width:0}
.hero dl{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));
gap:18px 28px}
.hero dl>div{display:block;border:0;padding:0}
.hero dt{font-size:14px;max-width:none}
.hero>*{min-width:0}
.hero dd{text-align:left;font-size:20px;font-weight:600;line-height:1.35;
letter-spacing:-.01em}
.split{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,
280px),1fr));gap:36px 56px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,
400px),1fr));gap:28px 40px}
.chart{display:block;width:100%;height:auto;max-width:640px}
table{width:100%;border-collapse:collapse}
caption,code,p,summary{overflow-wrap:anywhere}
caption{text-align:left;color:var(--muted);font-size:14px;padding-bottom:8px}
th,td{text-align:left;padding:9px 16px 9px 0;font-weight:400;
border-bottom:1px solid var(--line);overflow-wrap:anywhere}
thead th{font-size:13px;color:var(--muted);padding:6px 16px 6px 0;
white-space:nowrap}
tbody tr:last-child>*{border-bottom:0}
th:last-child,td:last-child{padding-right:0}
.scores td,.scores thead th{text-align:right;white-space:nowrap}
.scores .plot{width:46%;padding:9px 28px 9px 12px}
.scores td.score{font-weight:600}
.scores td.name,.scores th.name{text-align:left;white-space:normal}
.scores th.name{min-width:72px}
.scores td.other{white-space:normal}
.wide{overflow-x:auto}
.scores .own .name{font-weight:650}
.scores small{display:block;color:var(--muted);font-size:13px;min-width:14ch}
.scores+.scores{margin-top:28px}
.track,.ticks{position:relative;display:block;height:18px}
.track::before{content:'';position:absolute;left:0;right:0;top:50%;
border-top:1px solid var(--line)}
.track span{position:absolute;top:50%;transform:translate(-50%,-50%)}
.track .mean{width:12px;height:12px;border-radius:50%;background:var(--muted);
border:2px solid var(--page)}
.own .track .mean{background:var(--accent);width:16px;height:16px}
.track .seed{width:1.5px;height:12px;background:var(--muted);opacity:.5}
.track .std{height:4px;border-radius:2px;transform:translateY(-50%);
background:var(--muted);opacity:.35}
.own .track .seed,.own .track .std{background:var(--accent)}
.ticks span{position:absolute;transform:translateX(-50%);white-space:nowrap}
.notes{list-style:none;padding:0;margin:0}
.done{margin:0;padding-left:18px;color:var(--muted)}
.notes li{border-left:3px solid var(--warm);padding:6px 0 6px 16px;
margin-bottom:10px;max-width:76ch;overflow-wrap:anywhere}
.warnings li{border-left-width:5px;background:var(--soft);
padding:10px 14px 10px 16px;font-weight:600}
.gallery{max-height:max(600px,86vh);overflow:auto;padding:2px}
.gallery::after{content:'';position:sticky;bottom:-2px;display:block;
height:32px;grid-column:1/-1;pointer-events:none;
background:linear-gradient(to bottom,transparent,var(--page) 75%)}
.gallery img{display:block;height:auto;max-width:100%;background:var(--line)}
.rows .class{display:grid;align-items:center;gap:6px 24px;padding:3px 0}
.rows .class{grid-template-columns:var(--name) 1fr 1fr}
.rows.alone .class{grid-template-columns:var(--name) 1fr}
.rows figcaption{font-size:14px}
.heads span{font-size:13px}
figcaption{color:var(--muted);overflow-wrap:anywhere}
.rows .heads{position:sticky;top:-2px;background:var(--page);z-index:1;
color:var(--muted);padding:6px 0;
border-bottom:1px solid var(--line)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(152px,1fr));
gap:24px 20px}
.cards.alone{grid-template-columns:repeat(auto-fill,minmax(100px,1fr))}
.cards .class{display:grid;grid-template-columns:repeat(2,minmax(0,80px));
gap:6px}
.cards.alone .class{grid-template-columns:minmax(0,96px)}
.cards figcaption{grid-column:1/-1;order:2;font-size:14px;line-height:1.3}
.cards::after{margin-top:-24px}
.gallery+.caption{margin-top:0}
.narrow{display:none}
.caption,.axis{color:var(--muted);font-size:14px;margin-top:12px}
.axis{margin-top:6px;font-size:13px}
.matrix{display:grid;grid-template-columns:auto minmax(0,1fr);gap:0 12px}
.matrix ol{list-style:none;color:var(--muted);font-size:13px;
text-align:right;max-width:150px}
.matrix li{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.drawn{max-width:100%}
.matrix .columns{display:flex;max-width:none;margin-top:4px;text-align:center}
.matrix .columns li{min-width:0;font-size:12px;text-overflow:clip}
.matrix .sparse{text-align:left}
.pixels{display:block;width:100%;image-rendering:pixelated;
outline:1px solid var(--line)}
.smooth{image-rendering:auto}
.scale{width:260px;margin:16px 0 0 26px;max-width:80%}
.scale .bar{display:block;height:10px;border-radius:2px;
outline:1px solid var(--line)}
.scale .dark{display:none}
.marks{position:relative;height:20px;font-size:13px;color:var(--muted);
margin-top:4px}
.marks span{position:absolute;transform:translateX(-50%);white-space:nowrap}
.stack{display:flex;height:12px;gap:2px;margin:4px 0 12px}
.stack span{border-radius:2px;min-width:2px}
.swatch{display:inline-block;width:10px;height:10px;border-radius:2px;
margin-right:9px}
pre{background:var(--soft);border:1px solid var(--line);border-radius:8px;
padding:16px 18px;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.6;
font-size:14px;user-select:all;-webkit-user-select:all}
pre span{display:inline-block;max-width:100%}
.hash{display:inline-block;max-width:32.5ch;font-size:12px}
details{margin-top:20px;border-top:1px solid var(--line);padding-top:14px}
summary{cursor:pointer;font-weight:650}
summary span{color:var(--muted);font-weight:400}
summary code{white-space:nowrap;overflow-wrap:normal}
summary:focus-visible,.gallery:focus-visible{outline:2px solid var(--accent);
outline-offset:4px;border-radius:4px}
details dl{margin-top:12px;columns:2;column-gap:56px;font-size:14px}
details dl>div{break-inside:avoid;border-bottom:1px solid var(--line)!important}
footer{padding-top:56px;padding-bottom:64px;color:var(--muted);font-size:14px}
footer p{border-top:1px solid var(--line);padding-top:18px}
@media (prefers-color-scheme:dark){
.scale .light{display:none}.scale .dark{display:block}}
@media (max-width:720px){
main,footer{padding-left:18px;padding-right:18px}
main{padding-top:32px}section{padding-top:40px}
.hero{grid-template-columns:1fr;margin-top:24px}
.hero dl{grid-template-columns:1fr 1fr}
.scores .plot,.scores .seeds,.scores .count{display:none}
.classes thead th{white-space:normal;overflow-wrap:normal}
.scores th.name{overflow-wrap:normal}
.rows .class,.rows.alone .class{grid-template-columns:minmax(0,1fr)}
.rows .heads{display:none}.narrow{display:inline}
.rows .class{padding:10px 0}
.rows figcaption{color:var(--ink);font-weight:600}
.matrix ol{max-width:76px;font-size:12px}
.bordered{image-rendering:auto}
details dl{columns:1}
}
@media print{
@page{margin:16mm 14mm}
body{font-size:10pt}main,footer{padding:0}
section{padding-top:24pt}footer{padding-top:18pt}
.hero{margin-top:16pt;padding:16pt 0}.notes li{margin-bottom:4pt}
.charts,.split{grid-template-columns:1fr 1fr;gap:16pt 24pt}
th,td,dl>div{padding-top:4pt;padding-bottom:4pt}
.gallery{max-height:none;overflow:visible}.gallery::after{display:none}
h2,h3,.lead{break-after:avoid}
figure,tr,.charts,.matrix,.split>div,pre{break-inside:avoid}
.track span,.stack span,.swatch,.bar,.pixels{-webkit-print-color-adjust:exact;
print-color-adjust:exact}
}
"""
)

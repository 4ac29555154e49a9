/** Style and script of the page. Everything is served by the controller: no address elsewhere. */

export const pageStyle = `
:root {
  color-scheme: light dark;
  --back: light-dark(#f6f7f9, #101317); --card: light-dark(#fff, #181c22);
  --line: light-dark(#e2e5ea, #2a3038); --text: light-dark(#1b1f24, #e6e9ee);
  --dim: light-dark(#5d6672, #98a2b0); --good: light-dark(#12805c, #3ecf96);
  --busy: light-dark(#1f63d3, #6ea8ff); --bad: light-dark(#c4261d, #ff7b72);
  --warn: light-dark(#9a5b00, #f0b429); --rest: light-dark(#c3c9d2, #414a56);
}
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
header, main { max-width: 1120px; margin: 0 auto; padding: 0 20px }
header { display: flex; align-items: center; gap: 10px; height: 56px }
.brand { font-weight: 700; letter-spacing: -.01em }
.fleet { color: var(--dim) } .fleet::before { content: "/"; margin-right: 10px; color: var(--line) }
#live { margin-left: auto; font-size: 13px; color: var(--dim) }
#live:not(:empty)::before { content: ""; display: inline-block; width: 8px; height: 8px;
  border-radius: 50%; margin-right: 7px; background: var(--rest) }
#live.on::before { background: var(--good) }
main { padding-bottom: 60px }
h1 { font-size: clamp(22px, 3.4vw, 32px); line-height: 1.25; letter-spacing: -.02em;
  margin: 24px 0 6px;
  text-wrap: balance; overflow-wrap: anywhere }
h1.bad { color: var(--bad) } h1.busy { color: var(--busy) } h1.good { color: var(--good) }
h2 { font-size: 14px; color: var(--dim); font-weight: 600; margin: 34px 0 10px }
.equation, .hint { color: var(--dim); margin: 0 0 22px }
code { font: 13px ui-monospace, "SF Mono", Menlo, Consolas, monospace }
.dim { color: var(--dim) }
.rollout { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 14px 18px; margin-bottom: 8px }
.rollout .head { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px }
.current strong { font-size: 18px } .took { margin-left: auto; font-size: 13px }
.squares { list-style: none; display: flex; flex-wrap: wrap; gap: 4px; padding: 0;
  margin: 10px 0 8px }
.squares li { width: 14px; height: 14px; border-radius: 4px; background: var(--rest) }
.current .squares li { width: 22px; height: 22px; border-radius: 6px }
.bar { display: block; width: 100%; height: 14px; border-radius: 4px; margin: 10px 0 8px }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; color: var(--dim) }
.legend i { display: inline-block; width: 9px; height: 9px; border-radius: 3px; margin-right: 6px;
  background: var(--rest) }
li.Committed, i.Committed { background: var(--good) !important }
li.Progressing, .legend i.Progressing { background: var(--busy) !important }
li.RolledBack, .legend i.RolledBack { background: var(--warn) !important }
li.Held, .legend i.Held { background: var(--bad) !important }
li.Progressing { animation: pulse 1.6s ease-in-out infinite }
@keyframes pulse { 50% { opacity: .45 } }
li.Offline, .legend i.Offline { background: none !important; border: 2px solid var(--rest) }
rect { fill: var(--rest) } rect.Committed { fill: var(--good) }
  rect.Progressing { fill: var(--busy) }
rect.RolledBack { fill: var(--warn) } rect.Held { fill: var(--bad) }
.badge { display: inline-block; font-size: 12.5px; font-weight: 600; font-style: normal;
  line-height: 1;
  padding: 4px 9px; border-radius: 99px; color: var(--dim);
  background: color-mix(in srgb, currentColor 13%, transparent) }
.badge.Healthy, .badge.Succeeded { color: var(--good) } .badge.Progressing { color: var(--busy) }
.badge.Degraded, .badge.Failed { color: var(--bad) }
.sync.Synced { color: var(--dim) } .sync.OutOfSync { color: var(--warn); font-weight: 600 }
.scroll { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  overflow-x: auto }
table { border-collapse: collapse; width: 100% }
thead th { font-size: 12.5px; font-weight: 500; color: var(--dim) }
th, td { text-align: left; padding: 9px 14px; white-space: nowrap; vertical-align: baseline }
td.message { white-space: normal; min-width: 220px; color: var(--dim); overflow-wrap: anywhere }
tbody tr { border-top: 1px solid var(--line) }
tbody th { font-weight: 600 }
time { color: var(--dim); font-variant-numeric: tabular-nums }
.events { list-style: none; margin: 0; padding: 0; font-size: 14px }
.events li { display: flex; gap: 14px; padding: 3px 0 } .events time { flex: 0 0 56px;
  text-align: right }
.events span { overflow-wrap: anywhere; min-width: 0 } .events b { font-weight: 600 }
.login { display: grid; gap: 12px; max-width: 420px }
.login label { color: var(--dim) } .login .bad { color: var(--bad); margin: 0 }
input, button { font: inherit; padding: 9px 13px; border-radius: 9px; border: 1px solid var(--line);
  background: var(--card); color: inherit }
button { background: var(--text); color: var(--back); border: 0; font-weight: 600; cursor: pointer }
:focus-visible { outline: 2px solid var(--busy); outline-offset: 2px }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
@media (prefers-reduced-motion: reduce) { * { animation: none !important } }
@media (max-width: 720px) {
  thead { display: none } .scroll { background: none; border: 0 }
  table, tbody, tr, th, td { display: block }
  tbody tr { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
    padding: 10px 14px; margin-bottom: 8px; display: grid; grid-template-columns: repeat(3, 1fr);
      gap: 0 14px }
  tbody th { grid-column: 1 / -1; padding: 0 0 4px }
  td { padding: 3px 0; white-space: normal }
  td::before { content: attr(data-label); display: block; font-size: 12px; color: var(--dim) }
  td.message { grid-column: 1 / -1; min-width: 0 } td.message:empty { display: none }
}
`

export const pageScript = `'use strict'
const live = document.getElementById('live')
let waiting = false, skew = 0

const lengthOf = seconds =>
  seconds < 120 ? Math.max(0, Math.round(seconds)) + ' s' :
  seconds < 7200 ? Math.round(seconds / 60) + ' min' :
  seconds < 172800 ? Math.round(seconds / 3600) + ' h' : Math.round(seconds / 86400) + ' d'

const ages = () => {
  for (const time of document.querySelectorAll('time'))
    time.textContent = lengthOf((Date.now() + skew - Date.parse(time.dateTime)) / 1000)
}

const refresh = async () => {
  if (waiting) return
  waiting = true
  try {
    await new Promise(resolve => setTimeout(resolve, 250))
    waiting = false
    const response = await fetch('/', { headers: { accept: 'text/html' } })
    if (response.status === 401) return location.reload()
    if (!response.ok) return
    const date = Date.parse(response.headers.get('date'))
    if (!Number.isNaN(date)) skew = date - Date.now()
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
    document.title = fresh.title
    document.querySelector('main').replaceWith(fresh.querySelector('main'))
    ages()
  } catch { waiting = false }
}

const events = new EventSource('/v1/events')
const say = (text, on) => { live.textContent = text; live.className = on ? 'on' : '' }
events.onopen = () => { say('Live', true); refresh() }
events.onerror = () => say('Reconnecting', false)
events.onmessage = refresh
events.addEventListener('reset', refresh)
setInterval(ages, 1000)
setInterval(refresh, 15000)
`

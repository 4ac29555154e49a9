/** The page: whole without JavaScript; `app.js` only fetches it again when something happened. */
import type { Overview } from './fleet.ts'
import { type Html, html } from './html.ts'
import {
  currentRollout,
  equationOf,
  lengthOf,
  releaseName,
  sentenceOf,
  shortSystem,
  worstFirst,
} from './sentence.ts'
import type { EventView, HostView, RolloutView } from './views.ts'

/** More are counted and not listed: use `holdfast get hosts`. */
const HOSTS_SHOWN = 500
const ROLLOUTS_SHOWN = 6
const EVENTS_SHOWN = 20
/** One square per host up to here; a bar in proportion beyond. */
const SQUARES_MAX = 400

export function overviewPage(overview: Overview): string {
  const { hosts, rollouts, events, now } = overview
  const current = currentRollout(rollouts)
  const others = rollouts.toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1))
  const recent = others.filter(rollout => rollout !== current).slice(0, ROLLOUTS_SHOWN)
  return document({
    title: overview.fleet === undefined ? 'Holdfast' : `${overview.fleet} · Holdfast`,
    fleet: overview.fleet,
    live: true,
    body: html`
      <h1 class="${mood(hosts, current)}">${sentenceOf(overview)}</h1>
      ${hosts.length > 0 ? html`<p class="equation">${equationOf(hosts)}</p>` : noHosts()}
      ${current && rolloutCard(current, true)}
      ${hosts.length > 0 && hostTable(hosts, now)}
      ${
        recent.length > 0 &&
        html`<section><h2>Earlier rollouts</h2>
        ${recent.map(rollout => rolloutCard(rollout, false))}</section>`
      }
      ${events.length > 0 && eventList(events.slice(0, EVENTS_SHOWN), now)}`,
  })
}

export function loginPage(failed: boolean): string {
  return document({
    title: 'Holdfast',
    fleet: undefined,
    live: false,
    body: html`
      <h1>Sign in</h1>
      <form method="post" action="/login" class="login">
        <label for="token">Operator token, from <code>operator.token</code> in the controller's
          state directory</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required
          autofocus>
        <button>Sign in</button>
        ${failed && html`<p class="bad" role="alert">That is not the token.</p>`}
      </form>`,
  })
}

type Document = { title: string; fleet: string | undefined; live: boolean; body: Html }

function document({ title, fleet, live, body }: Document): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="stylesheet" href="/app.css">
${live && html`<script src="/app.js" defer></script>`}
</head>
<body>
<header><span class="brand">Holdfast</span>
${fleet !== undefined && html`<span class="fleet">${fleet}</span>`}
${live && html`<span id="live" role="status"></span>`}</header>
<main>${body}</main>
</body>
</html>
`
  return page.text
}

function noHosts(): Html {
  return html`<p class="hint">Make a join token for the first one:
    <code>holdfast token new HOST</code></p>`
}

function mood(hosts: HostView[], rollout: RolloutView | undefined): string {
  const bad = hosts.some(host => host.phase === 'Held' || host.health === 'Degraded')
  if (bad || rollout?.outcome === 'Failed') return 'bad'
  if (rollout?.outcome === 'Progressing') return 'busy'
  return hosts.length > 0 && hosts.every(host => host.health === 'Healthy') ? 'good' : 'quiet'
}

function rolloutCard(rollout: RolloutView, large: boolean): Html {
  const { outcome, channel, seconds, endedAt } = rollout
  const took = endedAt === undefined ? `for ${lengthOf(seconds)}` : `in ${lengthOf(seconds)}`
  return html`<article class="rollout${large && ' current'}">
    <div class="head"><strong>${releaseName(rollout)}</strong><span class="dim">${channel}</span>
      <span class="badge ${outcome}">${outcome}</span><span class="dim took">${took}</span></div>
    ${rollout.hosts.length <= SQUARES_MAX ? squares(rollout) : bar(rollout)}
    <div class="legend">${legend(rollout)}</div>
  </article>`
}

function squares(rollout: RolloutView): Html {
  const items = rollout.hosts.map(({ host, outcome, message, seconds }) => {
    const took = seconds === undefined ? '' : ` in ${lengthOf(seconds)}`
    const why = message === undefined ? '' : `, ${message}`
    const title = `${host}: ${outcome}${took}${why}`
    return html`<li class="${outcome}" title="${title}"><span class="hidden">${title}</span></li>`
  })
  return html`<ul class="squares">${items}</ul>`
}

const shown = [
  'Committed',
  'Progressing',
  'Pending',
  'RolledBack',
  'Held',
  'Superseded',
  'Offline',
] as const

function bar(rollout: RolloutView): Html {
  let x = 0
  const parts = shown.map(outcome => {
    const width = rollout.counts[outcome] ?? 0
    x += width
    return html`<rect class="${outcome}" x="${x - width}" width="${width}" height="1"/>`
  })
  return html`<svg class="bar" viewBox="0 0 ${x} 1" preserveAspectRatio="none" aria-hidden="true">
    ${parts}</svg>`
}

function legend({ counts }: RolloutView): Html[] {
  return shown
    .filter(outcome => (counts[outcome] ?? 0) > 0)
    .map(
      outcome => html`<span><i class="${outcome}"></i>${counts[outcome]} ${label(outcome)}</span>`,
    )
}

function label(outcome: string): string {
  return outcome === 'RolledBack' ? 'rolled back' : outcome.toLowerCase()
}

function hostTable(hosts: HostView[], now: number): Html {
  const listed = worstFirst(hosts).slice(0, HOSTS_SHOWN)
  const more = hosts.length - listed.length
  return html`<section><h2>Hosts</h2><div class="scroll"><table>
    <thead><tr><th>Host</th><th>Health</th><th>Sync</th><th>Phase</th><th>Release</th>
      <th>Running</th><th>Since</th><th>Message</th></tr></thead>
    <tbody>${listed.map(host => hostRow(host, now))}</tbody></table></div>
    ${more > 0 && html`<p class="hint">and ${more} more: <code>holdfast get hosts</code></p>`}
  </section>`
}

function hostRow(host: HostView, now: number): Html {
  const { name, health, sync, phase, release, running, since, message } = host
  return html`<tr>
    <th scope="row">${name}</th>
    <td data-label="Health"><span class="badge ${health}">${health}</span></td>
    <td data-label="Sync"><span class="sync ${sync}">${sync}</span></td>
    <td data-label="Phase">${phase}</td>
    <td data-label="Release">${release ? releaseName(release).slice(8) : '–'}</td>
    <td data-label="Running"><code title="${running ?? ''}">${shortSystem(running)}</code></td>
    <td data-label="Since">${age(since, now)}</td>
    <td data-label="Message" class="message">${message ?? ''}</td>
  </tr>`
}

function eventList(events: EventView[], now: number): Html {
  return html`<section><h2>Events</h2><ol class="events">${events.map(
    event => html`<li>${age(event.at, now)}<span>${eventText(event)}</span></li>`,
  )}</ol></section>`
}

function eventText(event: EventView): Html {
  const { kind, host = '', release, to, message } = event
  const name = release ? releaseName(release) : ''
  const why = message === undefined ? '' : html`<span class="dim"> ${message}</span>`
  if (kind === 'host.enrolled') return html`<b>${host}</b> enrolled${why}`
  if (kind === 'host.removed') return html`<b>${host}</b> was removed`
  if (kind === 'host.offline') return html`<b>${host}</b> went <i class="badge Offline">Offline</i>`
  if (kind === 'host.online') return html`<b>${host}</b> is back`
  if (kind === 'rollout.started') return html`<b>${name}</b> appeared on ${event.channel ?? ''}`
  if (kind === 'rollout.ended') {
    return html`<b>${name}</b> ended: <i class="badge ${to ?? ''}">${to ?? ''}</i>`
  }
  return html`<b>${host}</b> → ${to ?? ''}${name && ` (${name.toLowerCase()})`}${why}`
}

function age(time: string, now: number): Html {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000))
  return html`<time datetime="${time}" title="${time}">${lengthOf(seconds)}</time>`
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loginPage, overviewPage } from '../../controller/page.ts'
import { pageScript } from '../../controller/page-assets.ts'
import { committed, enrolled, going, testController, wentBack } from './controller-fixture.ts'

const attack = `"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;`

test('whatever a host says is text on the page, never markup', async t => {
  const controller = await testController(t)
  const host = await enrolled(controller, 'web-1')
  const status = { ...wentBack(3), message: attack, channel: attack, running: attack }
  await host.report({ ...status, target: attack, agentVersion: attack, bootId: attack })
  const page = overviewPage(await controller.fleet.overview())
  assert.doesNotMatch(page, /<script>|<img|"'>/)
  assert.match(page, /&lt;script&gt;alert\(1\)/)
  assert.equal(page.match(/<script/g)?.length, 1)
})

test('the page has no script, style or address that its own policy would refuse', async t => {
  const controller = await testController(t)
  await (await enrolled(controller, 'web-1')).report(going(3, 'Testing'))
  for (const page of [overviewPage(await controller.fleet.overview()), loginPage(true)]) {
    assert.doesNotMatch(page, / style=| on[a-z]+="|<style|https?:/)
    for (const [, inside] of page.matchAll(/<script[^>]*>([^<]*)</g)) assert.equal(inside, '')
  }
  assert.doesNotMatch(pageScript, /innerHTML|eval|Function\(/)
})

test('says in one sentence how the fleet is', async t => {
  const controller = await testController(t)
  const heading = async () =>
    /<h1 class="(\w+)">([^<]*)</.exec(overviewPage(await controller.fleet.overview()))?.slice(1)
  assert.deepEqual(await heading(), ['quiet', 'No host is enrolled yet.'])
  const one = await enrolled(controller, 'web-1')
  await one.report(committed(2))
  assert.deepEqual(await heading(), ['good', 'The one host is healthy and runs release 2.'])
  const two = await enrolled(controller, 'web-2')
  await two.report(committed(2))
  assert.deepEqual(await heading(), ['good', 'All 2 hosts are healthy and run release 2.'])
  await one.report(committed(3))
  await two.report(going(3, 'Testing'))
  assert.deepEqual(await heading(), ['busy', 'Release 3 is rolling out: 1 of 2 hosts have it.'])
  await two.report(wentBack(3))
  assert.deepEqual(await heading(), ['bad', 'Release 3 failed: 1 of 2 hosts went back by itself.'])
  await two.report({ ...wentBack(3), phase: 'Held' })
  assert.deepEqual(await heading(), ['bad', 'web-2 needs a person.'])
})

test('a browser signs in with the token, and gets no more than reading', async t => {
  const { url, token } = await testController(t)
  const login = (text: string) =>
    fetch(`${url}/login`, {
      method: 'POST',
      body: new URLSearchParams({ token: text }),
      redirect: 'manual',
    })
  assert.equal((await login('wrong')).status, 401)
  const cookie = (await login(token)).headers.get('set-cookie') ?? ''
  assert.match(cookie, /; HttpOnly; SameSite=Strict$/)
  const headers = { cookie: cookie.split(';')[0]! }
  assert.equal((await fetch(`${url}/v1/hosts`, { headers })).status, 200)
  const post = { method: 'POST', headers, body: '{}' }
  assert.equal((await fetch(`${url}/v1/tokens`, post)).status, 401)
  const forged = { cookie: headers.cookie.replace(/=\d/, '=9') }
  assert.equal((await fetch(`${url}/v1/hosts`, { headers: forged })).status, 401)
})

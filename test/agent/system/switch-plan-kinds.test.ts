/** Kinds of units, units known by name, and what a cut switch left behind. */
import { changed, early, earlyStep, type Story, testStories, web, web2 } from './switch-stories.ts'

const stories: [name: string, story: Story][] = [
  [
    'takes the socket of a changed service along, which starts it',
    {
      old: { 'web.service': web(), 'web.socket': '[Socket]' },
      next: { 'web.service': web2(), 'web.socket': '[Socket]' },
      loaded: ['web.service', 'web.socket'],
      plan: { stop: ['web.service', 'web.socket'], start: ['web.socket'] },
    },
  ],
  [
    'starts both where the service says it is not started by its socket',
    {
      old: { 'web.service': web(), 'web.socket': '[Socket]' },
      next: { 'web.service': web2('X-NotSocketActivated=yes'), 'web.socket': '[Socket]' },
      loaded: ['web.service', 'web.socket'],
      plan: { stop: ['web.service', 'web.socket'], start: ['web.service', 'web.socket'] },
    },
  ],
  [
    'leaves a changed socket by itself',
    {
      old: { 'web.socket': '[Socket]\nListenStream=1' },
      next: { 'web.socket': '[Socket]\nListenStream=2' },
      loaded: ['web.socket'],
      plan: {},
    },
  ],
  [
    'leaves changed slices and paths to systemd',
    {
      old: { 'a.slice': '[Slice]\nx=1', 'a.path': '[Path]\nx=1' },
      next: { 'a.slice': '[Slice]\nx=2', 'a.path': '[Path]\nx=2' },
      loaded: ['a.slice', 'a.path'],
      plan: {},
    },
  ],
  [
    'restarts a changed timer',
    {
      old: { 'a.timer': '[Timer]\nOnCalendar=daily' },
      next: { 'a.timer': '[Timer]\nOnCalendar=hourly' },
      loaded: ['a.timer'],
      plan: { restart: ['a.timer'] },
    },
  ],
  [
    'mounts again what is mounted from elsewhere, but not the store',
    {
      old: { 'srv.mount': '[Mount]\nWhat=a', 'nix.mount': '[Mount]\nWhat=a' },
      next: { 'srv.mount': '[Mount]\nWhat=b', 'nix.mount': '[Mount]\nWhat=b' },
      loaded: ['srv.mount', 'nix.mount'],
      plan: { restart: ['srv.mount'], reload: ['nix.mount'] },
    },
  ],
  [
    'stops a target that asks for it, and starts it in order',
    {
      old: { 'a.target': '[Unit]' },
      next: { 'a.target': '[Unit]\nX-StopOnReconfiguration=yes' },
      loaded: ['a.target'],
      plan: { stop: ['a.target'], start: ['a.target'] },
    },
  ],
  [
    'treats an instance by its template',
    {
      old: { 'job@.service': web() },
      next: { 'job@.service': web2() },
      loaded: ['job@one.service'],
      plan: { stop: ['job@one.service'], start: ['job@one.service'] },
    },
  ],
  [
    'sees a drop-in of one instance',
    {
      old: { 'job@.service': web() },
      next: { 'job@.service': web(), 'job@one.service.d/x.conf': '[Service]\nNice=1' },
      loaded: ['job@one.service', 'job@two.service'],
      plan: { stop: ['job@one.service'], start: ['job@one.service'] },
    },
  ],
  [
    'sees a drop-in for all services',
    {
      old: { 'a.service': web() },
      next: { 'a.service': web(), 'service.d/x.conf': '[Service]\nNice=1' },
      loaded: ['a.service'],
      plan: { stop: ['a.service'], start: ['a.service'] },
    },
  ],
  [
    'follows an alias to what is wanted',
    {
      old: { 'multi-user.target': '[Unit]' },
      next: {
        'multi-user.target': '[Unit]',
        'multi-user.target.wants/www.service': '',
        'www.service': '-> web.service',
        'web.service': web(),
      },
      loaded: ['multi-user.target'],
      plan: { start: ['web.service'] },
    },
  ],
  [
    'reloads the message bus, never restarts it',
    {
      old: { 'dbus.service': web() },
      next: { 'dbus.service': web2() },
      loaded: ['dbus.service'],
      plan: { reload: ['dbus.service'] },
    },
  ],
  [
    'leaves logins alone',
    {
      old: { 'systemd-logind.service': web(), 'user@.service': web(), 'getty@.service': web() },
      next: { 'systemd-logind.service': web2(), 'user@.service': web2(), 'getty@.service': web2() },
      loaded: ['systemd-logind.service', 'user@0.service', 'getty@tty1.service'],
      plan: { leave: ['getty@tty1.service', 'systemd-logind.service', 'user@0.service'] },
    },
  ],
  [
    'does not repeat what systemd does early in a boot, such as emptying /tmp',
    {
      old: { ...early(''), 'systemd-tmpfiles-setup.service': earlyStep('a') },
      next: { ...early(''), 'systemd-tmpfiles-setup.service': earlyStep('b') },
      loaded: ['sysinit.target', 'systemd-tmpfiles-setup.service'],
      plan: { leave: ['systemd-tmpfiles-setup.service'] },
    },
  ],
  [
    'does not start an early step that has ended and has changed',
    {
      old: { ...early('systemd-x.service'), 'systemd-x.service': earlyStep('a') },
      next: { ...early('systemd-x.service'), 'systemd-x.service': earlyStep('b') },
      loaded: ['sysinit.target', 'systemd-x.service inactive'],
      plan: {},
    },
  ],
  [
    'restarts the agent last',
    {
      old: { 'holdfast-agent.service': web() },
      next: { 'holdfast-agent.service': web2() },
      loaded: ['holdfast-agent.service'],
      plan: { agent: 'restart' },
    },
  ],
  [
    'stops an agent that is gone last',
    {
      old: { 'holdfast-agent.service': web() },
      next: {},
      loaded: ['holdfast-agent.service'],
      plan: { agent: 'stop' },
    },
  ],
  [
    'leaves units that no system brought',
    { old: {}, next: {}, loaded: ['local.service'], plan: {} },
  ],
  [
    'leaves units from generators, even of the same name',
    { ...changed(''), loaded: ['web.service active /run/systemd/generator/web.service'], plan: {} },
  ],
  [
    'starts what a cut switch had stopped',
    {
      old: { 'web.service': web() },
      next: { 'web.service': web() },
      loaded: [],
      resume: ['web.service', 'gone.service'],
      plan: { start: ['web.service'] },
    },
  ],
  [
    'restarts what a cut switch may have started with other files',
    {
      old: { 'web.service': web() },
      also: [{ 'web.service': web2() }],
      next: { 'web.service': web() },
      loaded: ['web.service'],
      plan: { stop: ['web.service'], start: ['web.service'] },
    },
  ],
  [
    'stops what only the system of a cut switch had',
    {
      old: {},
      also: [{ 'new.service': web() }],
      next: {},
      loaded: ['new.service'],
      plan: { stop: ['new.service'] },
    },
  ],
]

testStories(stories)

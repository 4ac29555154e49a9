/**
 * Makes a fresh clone ready and then runs one program of it: npm's packages (Node 24 among them)
 * and the Debian packages that the program needs. Runs on any Node from 18 up, so it is plain
 * JavaScript with no imports but Node's own.
 *
 *   node test/setup.mjs                  only set up
 *   node test/setup.mjs run FILE [ARG…]  set up, then run FILE with Node 24
 */
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(top, 'node_modules')
const node = join(modules, '.bin', 'node')

/**
 * Program → the Debian package that has it. Every use needs the first; tests and benchmarks need
 * all.
 */
const always = { git: 'git' }
const boots = {
  'systemd-nspawn': 'systemd-container',
  mmdebstrap: 'mmdebstrap',
  ip: 'iproute2',
  xz: 'xz-utils',
}
const oracles = {
  'nix-store': 'nix-bin',
  'ssh-keygen': 'openssh-client',
  busybox: 'busybox-static',
  'mkfs.ext4': 'e2fsprogs',
  mount: 'mount',
  zstd: 'zstd',
}

const [action, file, ...rest] = process.argv.slice(2)
const demo = file?.includes('demo') ?? false
setUpPackages()
const complete = setUpPrograms(demo ? { ...always, ...boots } : { ...always, ...boots, ...oracles })
if (action === 'run' && file !== undefined) {
  if (!complete && !demo) process.exit(2)
  run(file, rest)
}

function say(line) {
  process.stderr.write(`holdfast set-up: ${line}\n`)
}

/** Installs exactly what the lockfile says, once per lockfile. */
function setUpPackages() {
  const lock = readFileSync(join(top, 'package-lock.json'), 'utf8')
  const stamp = join(modules, '.holdfast-lock')
  if (existsSync(node) && existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  say('installing npm packages, Node 24 among them')
  const npm = process.env.npm_execpath
  const [program, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  const done = spawnSync(
    program,
    [...first, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: top,
      stdio: ['ignore', 2, 2],
    },
  )
  if (done.status !== 0 || !existsSync(node)) {
    say('npm ci failed: see above. Holdfast needs npm and its registry once')
    process.exit(2)
  }
  writeFileSync(stamp, lock)
}

/** Installs the missing Debian packages; answers whether all programs are there now. */
function setUpPrograms(wanted) {
  const missing = Object.keys(wanted).filter(program => !onPath(program))
  if (missing.length === 0) return true
  const packages = [...new Set(missing.map(program => wanted[program]))]
  const command = `apt-get install --no-install-recommends ${packages.join(' ')}`
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    say(`missing: ${missing.join(', ')}. As root, run: ${command}`)
    return false
  }
  say(`installing Debian packages: ${packages.join(' ')}`)
  apt(['update', '-qq'])
  apt(['install', '-y', '-qq', '--no-install-recommends', ...packages])
  const still = missing.filter(program => !onPath(program))
  if (still.length > 0) say(`still missing: ${still.join(', ')}. Run: ${command}`)
  return still.length === 0
}

function apt(words) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync('apt-get', ['-o', 'Dpkg::Use-Pty=0', ...words], { stdio: ['ignore', 'ignore', 2], env })
}

function onPath(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Node 24 first on PATH, for the program and for all that it starts. */
function run(file, words) {
  const path = [join(modules, '.bin'), process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(delimiter)
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', join(top, file), ...words], {
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 1))
}

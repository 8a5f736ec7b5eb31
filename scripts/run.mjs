// node scripts/run.mjs scripts/NAME.ts [arguments…]
//
// Makes `npm start` and `npm test` single commands on a fresh clone: it installs the packages of package-lock.json if they are
// missing, then runs the script with the project's pinned Node. It is plain JavaScript because it must run on Node 20 or newer
// before anything is installed. After the installation it needs no network.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const modules = join(root, 'node_modules')
const stamp = join(modules, '.pilotlight-lock')
const lock = join(root, '.state', 'install.lock')
const windows = process.platform === 'win32'
const node = join(modules, '.bin', windows ? 'node.cmd' : 'node')

const [script, ...args] = process.argv.slice(2)
if (script === undefined) fail('Usage: node scripts/run.mjs scripts/NAME.ts [arguments…]', 2)
if (!installed()) await install()
// The pinned Node comes first on the path, so that every tool that a script calls uses it too.
const PATH = [join(modules, '.bin'), process.env.PATH].join(delimiter)
process.exitCode = await run(node, [resolve(root, script), ...args], { cwd: root, env: { ...process.env, PATH } })

/** True if node_modules has exactly the packages of package-lock.json. */
function installed() {
  if (!existsSync(node)) return false
  const wanted = lockHash()
  if (existsSync(stamp)) return readFileSync(stamp, 'utf8') === wanted
  if (!agreesWithLock()) return false
  writeFileSync(stamp, wanted) // someone ran `npm ci` by hand: accept that, so that nothing is downloaded twice
  return true
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
}

/** npm writes its record of the installation last, so an interrupted installation has none. */
function agreesWithLock() {
  const record = join(modules, '.package-lock.json')
  if (!existsSync(record)) return false
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const found = JSON.parse(readFileSync(record, 'utf8')).packages
  return Object.entries(wanted).every(([place, want]) => {
    const got = found[place]
    return (
      place === '' ||
      (got === undefined ? want.optional === true : got.version === want.version && got.integrity === want.integrity)
    )
  })
}

async function install() {
  await takeLock()
  const problem = installed() ? null : await installUnderLock() // another start may have installed while this one waited
  rmSync(lock, { recursive: true, force: true })
  if (problem !== null) fail(problem.text, problem.code)
}

/** Installs the packages. Returns the problem as a sentence; null on success. */
async function installUnderLock() {
  say(
    existsSync(modules)
      ? 'node_modules is not what package-lock.json names: installing with npm ci …'
      : 'First run: installing with npm ci (about 600 MB, under a minute) …',
  )
  const startedAt = Date.now()
  const code = await npmCi()
  if (code > 128) return { text: 'The installation was stopped.', code }
  if (code !== 0)
    return {
      text:
        `The installation failed: npm ci ended with ${code}, and npm says why above. Once, it needs the npm registry: if that is what is ` +
        'missing, check the connection and the address (`npm config get registry`), then run the same command again.',
      code: 1,
    }
  if (!existsSync(node))
    return {
      text: 'npm ci ended well but left no Node of its own: are install scripts switched off (`npm config get ignore-scripts`)?',
      code: 1,
    }
  writeFileSync(stamp, lockHash())
  say(`Installed in ${Math.round((Date.now() - startedAt) / 1000)} s.`)
  return null
}

/** npm must use the Node that it came with: `npm run` puts node_modules/.bin first on the path, and npm ci deletes that folder. */
async function npmCi() {
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !resolve(entry).startsWith(modules))
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) || /^npm_config_/i.test(name)),
  )
  const beat = setInterval(() => say('… still installing'), 15_000)
  try {
    return await run('npm', ['ci', '--no-fund', '--no-audit'], {
      cwd: root,
      env: { ...env, PATH: path.join(delimiter) },
      shell: windows,
    })
  } finally {
    clearInterval(beat)
  }
}

/** Allows one installation at a time in a folder. A lock whose owner has ended is taken over. */
async function takeLock() {
  mkdirSync(join(root, '.state'), { recursive: true })
  for (let tries = 0; ; tries++) {
    try {
      mkdirSync(lock)
      writeFileSync(join(lock, 'pid'), String(process.pid))
      return
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`Cannot write to ${join(root, '.state')}: ${error.message}`, 1)
    }
    const owner = lockOwner(lock)
    if (owner === null ? tries > 8 : !alive(owner)) {
      const aside = `${lock}.${process.pid}`
      try {
        renameSync(lock, aside)
        // Another start may have taken the lock over before the rename. Then the renamed lock is its own, and is put back.
        if (lockOwner(aside) !== owner) renameSync(aside, lock)
        else rmSync(aside, { recursive: true, force: true })
      } catch (error) {
        if (error.code !== 'ENOENT') throw error // already removed: try again
      }
      continue
    }
    if (tries === 1) say(`Another start is installing${owner === null ? '' : ` (process ${owner})`}: waiting for it …`)
    await pause(250)
  }
}

function lockOwner(folder) {
  try {
    return Number(readFileSync(join(folder, 'pid'), 'utf8')) || null
  } catch (error) {
    if (error.code === 'ENOENT') return null // between mkdir and writing the number
    throw error
  }
}

function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Runs a command in place of this process, with its streams, signals and exit code. */
function run(command, parameters, options) {
  return new Promise((settle) => {
    const child = spawn(command, parameters, { stdio: 'inherit', ...options })
    const names = ['SIGINT', 'SIGTERM', 'SIGHUP']
    const forward = (name) => child.kill(name)
    for (const name of names) process.on(name, forward)
    // A signal to npm alone ends npm, or npm and its shell, and does not arrive here. So their end counts as the signal.
    const before = forebears()
    const watch = setInterval(() => {
      if (forebears() === before) return
      clearInterval(watch)
      forward('SIGTERM')
    }, 250)
    const end = (code) => {
      clearInterval(watch)
      for (const name of names) process.off(name, forward)
      settle(code)
    }
    child.on('error', (error) => {
      say(`Cannot run ${command}: ${error.message}`)
      end(127)
    })
    child.on('exit', (code, signal) => end(code ?? 128 + constants.signals[signal]))
  })
}

/** Returns the parent process and, if that is a shell of npm, npm too. */
function forebears() {
  const parent = process.ppid
  if (process.env.npm_lifecycle_event === undefined || process.platform !== 'linux') return String(parent)
  try {
    const stat = readFileSync(`/proc/${parent}/stat`, 'utf8')
    return `${parent} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]}`
  } catch {
    return 'gone' // it ended meanwhile
  }
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

function fail(text, code) {
  say(text)
  process.exit(code)
}

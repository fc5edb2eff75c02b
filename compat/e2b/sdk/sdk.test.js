// The published JavaScript client of E2B over a Caisson: point E2B_API_URL, E2B_SANDBOX_URL and E2B_API_KEY at one and run `node --test`.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CommandExitError, FileNotFoundError, Sandbox, SandboxNotFoundError } from 'e2b'

let box
before(async () => {
  box = await Sandbox.create({ timeoutMs: 120_000, metadata: { k: 'v w' }, envs: { GIVEN: 'yes' } })
})
after(() => box.kill())

test('lives, is found, and ends', async () => {
  assert.equal(await box.isRunning(), true)
  assert.deepEqual((await box.getInfo()).metadata, { k: 'v w' })
  const other = await Sandbox.create({ timeoutMs: 60_000 })
  assert.equal((await (await Sandbox.connect(other.sandboxId)).commands.run('echo x')).stdout, 'x\n')
  const page = await Sandbox.list({ query: { metadata: { k: 'v w' } } }).nextItems()
  assert.ok(page.some((one) => one.sandboxId === box.sandboxId))
  assert.equal(await other.kill(), true)
  assert.equal(await Sandbox.kill(other.sandboxId), false)
  await assert.rejects(Sandbox.connect(other.sandboxId), SandboxNotFoundError)
})

test('runs commands', async () => {
  const result = await box.commands.run('echo $GIVEN; echo e >&2')
  assert.deepEqual([result.stdout, result.stderr, result.exitCode], ['yes\n', 'e\n', 0])
  await assert.rejects(box.commands.run('exit 4'), (e) => e instanceof CommandExitError && e.exitCode === 4)
  const cat = await box.commands.run('cat', { background: true, stdin: true })
  await box.commands.sendStdin(cat.pid, 'typed\n')
  await box.commands.closeStdin(cat.pid)
  assert.equal((await cat.wait()).stdout, 'typed\n')
})

test('has a terminal', async () => {
  let seen = ''
  const pty = await box.pty.create({ rows: 20, cols: 70, onData: (data) => (seen += new TextDecoder().decode(data)) })
  await box.pty.sendInput(pty.pid, new TextEncoder().encode('stty size; exit\n'))
  await pty.wait()
  assert.match(seen, /20 70/)
})

test('moves files', async () => {
  assert.equal((await box.files.write('d/a.txt', 'text')).path, '/home/user/d/a.txt')
  assert.equal(await box.files.read('d/a.txt'), 'text')
  assert.equal(await box.files.makeDir('d'), false)
  assert.deepEqual((await box.files.list('d')).map((one) => one.name), ['a.txt'])
  await box.files.write('empty', '')
  assert.equal(await box.files.read('empty'), '')
  await assert.rejects(box.files.read('d/none'), FileNotFoundError)
  const created = new Promise((resolve) => box.files.watchDir('d', (event) => event.name === 'new' && resolve(event.type)).then(() => box.files.write('d/new', '1')))
  assert.equal(await created, 'create')
  assert.equal(await (await fetch(await box.downloadUrl('d/a.txt'))).text(), 'text')
})

test('pauses and goes on', async () => {
  const other = await Sandbox.create({ timeoutMs: 60_000 })
  await other.pause()
  assert.equal(await other.isRunning(), false)
  assert.equal((await (await Sandbox.connect(other.sandboxId)).commands.run('echo awake')).stdout, 'awake\n')
  await other.kill()
})

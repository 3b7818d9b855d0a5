/** `fr copy` and `fr wait` between real processes. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyDigest, MIB, type ServingNode, sha256, World } from './cli-world.js'
import { type Door, holdingDoor } from './door.js'

describe('fr copy', () => {
  let world: World
  let nodes: ServingNode[]
  let door: Door
  let content: Buffer
  beforeEach(async () => {
    world = new World()
    nodes = await world.nodes(3)
    door = await holdingDoor(at(2).address, 2 * MIB)
    content = world.file('a.bin', 24 * MIB + 11)
    await world.run(['push', 'a.bin', '--to', at(0).address])
  })
  afterEach(async () => {
    door.close()
    await world.close()
  })

  const at = (index: number): ServingNode => nodes[index] as ServingNode
  const from = (): string[] => ['--from', at(0).address]
  const roles = async (): Promise<string[]> => {
    const [status] = (await world.run(['status', at(0).address, '--json'])).lines
    return (status as { transfers: { role: string }[] }).transfers.map(({ role }) => role)
  }
  const isHolding = async (): Promise<void> => {
    while (!door.isHolding()) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  it('prints what fr push prints', async () => {
    const args = ['a.bin', ...from(), '--to', `${at(1).address},${at(2).address}`]
    const groups = ['--shape', 'chain', '--group-size', '1', '--handover', 'every']
    const share = [
      '--limit-up',
      '400Mbit',
      '--limit-down',
      '1Gbit',
      '--priority',
      '20',
      '--flows',
      '2',
    ]
    const wishes = ['--as', 'b.bin', ...groups, ...share, '--json']
    const { status, lines, stderr } = await world.run(['copy', ...args, ...wishes])
    expect(status, stderr).toBe(0)
    const events = lines.map((line) => line['event'])
    const plan = lines.find(({ event }) => event === 'plan')
    expect(plan).toMatchObject({ groups: [[at(1).address], [at(2).address]] })
    expect(plan?.['boundSeconds']).toBeCloseTo(content.length / 50e6)
    expect(events.filter((event) => event === 'node')).toHaveLength(2)
    expect(lines.at(-1)).toMatchObject({ event: 'result', bytes: content.length })
    for (const node of [at(1), at(2)]) expect(copyDigest(node, 'b.bin')).toBe(sha256(content))
    // It holds the content under the other name by now.
    const shown = await world.run(['copy', 'a.bin', ...from(), '--to', at(1).address])
    expect(shown.stderr).toMatch(/already there at 1 of 1 node.*24\.0 MiB each/)
  })

  it('goes on alone when it is detached; fr status and fr wait tell of it', async () => {
    const args = ['a.bin', ...from(), '--to', door.address, '--detach']
    const { status, stdout } = await world.run(['copy', ...args])
    expect(status).toBe(0)
    const transfer = stdout.trim()
    expect(transfer).toMatch(/^[0-9a-f]{32}$/)
    await isHolding()
    expect(await roles()).toEqual(['origin'])
    const shown = await world.run(['status', at(0).address])
    expect(shown.stdout).toMatch(/origin 24\.0 MiB, .* landed/)
    const wait = world.fr(['wait', transfer, '--via', at(0).address, '--json'])
    await wait.until('its progress', () => wait.lines.length > 0)
    door.open()
    expect(await wait.ended).toBe(0)
    expect(wait.lines.at(-1)).toMatchObject({ event: 'result', transfer })
    expect(copyDigest(at(2), 'a.bin')).toBe(sha256(content))
    const late = await world.run(['wait', transfer, '--via', at(0).address])
    expect(late).toMatchObject({ status: 0, stdout: '' })
    expect(late.stderr).toMatch(/1 of 1 node complete/)
    const unknown = await world.run(['wait', '0'.repeat(32), '--via', at(0).address])
    expect(unknown).toMatchObject({ status: 1 })
    expect(unknown.stderr).toContain('ERR_FR_NO_TRANSFER')
  })

  it.each(['SIGINT', 'SIGKILL'] as const)('ends with its client, killed by %s', async (signal) => {
    const running = world.fr(['copy', 'a.bin', ...from(), '--to', door.address, '--json'])
    await isHolding()
    running.kill(signal)
    await running.ended
    while ((await roles()).length > 0);
    expect(copyDigest(at(2), 'a.bin')).toBeNull()
    if (signal === 'SIGINT')
      expect(running.lines.at(-1)).toMatchObject({ event: 'error', code: 'ERR_FR_ABORTED' })
  })

  it('is what a mirror does for fr push, and the table says so', async () => {
    const to = `${at(1).address},${at(2).address}`
    const spared = ['--mirror', at(0).address, '--spare-origin', '--as', 'c.bin']
    const { status, stderr } = await world.run(['push', 'a.bin', '--to', to, ...spared])
    expect(status).toBe(0)
    expect(stderr).toMatch(/node +status +seconds +served by/)
    const rows = stderr.split('\n').filter((line) => line.includes(' complete '))
    const served = rows.filter((line) => line.split(at(0).address).length > 1)
    expect(served.length).toBeGreaterThanOrEqual(2)
    for (const node of [at(1), at(2)]) expect(copyDigest(node, 'c.bin')).toBe(sha256(content))
    const plain = await world.run(['push', 'a.bin', '--to', to, '--as', 'd.bin'])
    expect(plain.stderr).not.toContain('served by')
  })

  it('takes along large files of a tree that a node had under another name', async () => {
    const tree = join(world.directory, 'site')
    mkdirSync(tree)
    writeFileSync(join(tree, 'large'), content)
    writeFileSync(join(tree, 'small'), 'small')
    const pushed = await world.run(['push', 'site', '--to', at(0).address, '--quiet'])
    expect(pushed.status).toBe(0)
    const first = ['copy', 'a.bin', ...from(), '--to', at(1).address, '--quiet']
    expect((await world.run(first)).status).toBe(0)
    const [one, two] = [at(1).address, at(2).address]
    const second = await world.run(['copy', 'site', ...from(), '--to', one, '--quiet'])
    expect(second).toMatchObject({ status: 0, stderr: '' })
    const third = await world.run(['copy', 'site', '--from', one, '--to', two, '--quiet'])
    expect(third).toMatchObject({ status: 0, stderr: '' })
    expect(copyDigest(at(2), 'site/large')).toBe(sha256(content))
  })

  it('says what is wrong', async () => {
    const missing = await world.run(['copy', 'x.bin', ...from(), '--to', at(1).address])
    expect(missing).toMatchObject({ status: 1, stdout: '' })
    expect(missing.stderr).toContain('the node does not hold "x.bin"')
    const nowhere = await world.run(['copy', 'a.bin', ...from()])
    expect(nowhere).toMatchObject({ status: 2 })
    expect(nowhere.stderr).toContain('give either --to')
  })
})

/** Two networks with nothing between them but a gateway: a push goes through it. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Lab } from '../../bench/lab/lab.mjs'
import { MIB, sameContent, Workspace } from '../../bench/workspace.mjs'

const speeds = { upMbit: 400, downMbit: 400 }
const [origin, gatewayHost, ...nodeHosts] = [0, 1, 2, 3] as const
const closers: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** Hosts of the two networks have no way to each other. */
function part(lab: Lab): void {
  const refuse = (from: number, to: number): void => {
    const [program = '', ...prefix] = lab.prefix(from)
    const route = ['ip', 'route', 'add', 'unreachable', `${lab.address(to)}/32`]
    execFileSync(program, [...prefix, ...route])
  }
  for (const node of nodeHosts) {
    refuse(origin, node)
    refuse(node, origin)
  }
}

async function twoNetworks() {
  const lab = Lab.create({ hosts: [speeds, speeds, speeds, speeds] })
  const workspace = new Workspace(256 * MIB)
  closers.push(async () => {
    await workspace.close()
    lab.close()
  })
  part(lab)
  const keyFile = workspace.keyFile()
  const gateway = workspace.fr(
    ['node', '--listen', lab.address(gatewayHost), '--relay-only', '--json', '--key-file', keyFile],
    { prefix: lab.prefix(gatewayHost) },
  )
  const { address: via } = (await gateway.ready('gateway')) as { address: string }
  const nodes = await Promise.all(
    nodeHosts.map((host) =>
      workspace.startNode({
        listen: `${lab.address(host)}:7400`,
        name: `node-${host}`,
        keyFile,
        prefix: lab.prefix(host),
      }),
    ),
  )
  /** What a push of this file to the nodes comes to. */
  const push = async (source: string, attribute: string, ...more: string[]) => {
    const list = workspace.path('nodes')
    writeFileSync(list, nodes.map(({ address }) => `${address} ${attribute}\n`).join(''))
    const args = ['push', source, '--nodes', list, '--json', '--key-file', keyFile, ...more]
    const running = workspace.fr(args, { prefix: lab.prefix(origin) })
    const exitStatus = await running.ended
    return { exitStatus, result: running.lines.at(-1) }
  }
  return { workspace, via, nodes, push }
}

test('nodes that the origin cannot reach have the file through the gateway', async () => {
  const { workspace, via, nodes, push } = await twoNetworks()
  const source = await workspace.randomFile('source', MIB)
  const direct = await push(source, '', '--connect-timeout', '1s', '--retries', '0')
  expect(direct.result?.['nodes']).toMatchObject(
    nodes.map(() => ({ code: 'ERR_FR_UNREACHABLE', status: 'failed' })),
  )
  const complete = nodes.map(() => ({ status: 'complete' }))
  for (const [name, more] of Object.entries({ bridged: [], both: ['--relay', via] })) {
    const file = await workspace.randomFile(name, 24 * MIB)
    const { exitStatus, result } = await push(file, `via=${via}`, '--shape', 'group', ...more)
    expect([exitStatus, result?.['warnings']]).toEqual([0, []])
    expect(result?.['nodes']).toMatchObject(complete)
    for (const { data } of nodes) expect(sameContent(file, path.join(data, name))).toBe(true)
    const [relay] = result?.['relays'] ?? []
    if (name === 'both') expect(relay.relayedBytes).toBeGreaterThan(0)
  }
})

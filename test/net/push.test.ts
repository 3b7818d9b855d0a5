/** A lost machine affects only itself. */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { MIB, type NodeProcess, push, sameContent } from '../../bench/workspace.mjs'
import { startWorld } from './world.js'

const count = 4
const mbit = 100
const closers: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function world() {
  const made = await startWorld(count, mbit, 256 * MIB)
  closers.push(() => made.close())
  return made
}

const copyOf = (node: NodeProcess) => path.join(node.data, 'source')

describe(`a push to ${count} nodes over links of ${mbit} Mbit/s`, () => {
  test('survives a node that is killed with its cable cut: others complete, exit 3', async () => {
    const { lab, workspace, nodes, keyFile } = await world()
    const source = await workspace.randomFile('source', 32 * MIB)
    const victim = 2
    let struck: Promise<void> | undefined
    const strike = async () => {
      await sleep(1_000)
      lab.cut(victim)
      nodes[victim - 1]?.kill()
    }
    const { result, exitStatus } = await push(workspace, {
      source,
      nodes,
      keyFile,
      prefix: lab.prefix(0),
      // It does not come back.
      args: ['--rejoin', '0', '--silence', '6s'],
      onLine(line) {
        if (line.event === 'plan') struck = strike()
      },
    })
    await struck
    expect(exitStatus).toBe(3)
    for (const [at, node] of nodes.entries()) {
      const outcome = result.nodes.find((each) => each.node === node.address)
      if (at === victim - 1) {
        expect(outcome?.status).toBe('failed')
        expect(outcome?.reason).toMatch(/ERR_FR_(NODE_SILENT|NODE_LOST|UNREACHABLE)/)
        continue
      }
      expect(outcome).toMatchObject({ status: 'complete', reason: null })
      expect(sameContent(source, copyOf(node))).toBe(true)
    }
  })
})

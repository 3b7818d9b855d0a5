/**
 * What the page of a door is shown with, in the demo and for its screenshots: nodes on this
 * machine, one with a door, and a push through that door which is slow enough to look at.
 */
import path from 'node:path'

/** Seconds that the push takes at the rate that it is limited to. */
const secondsLong = 90

/**
 * Starts `count` nodes; the first has the door. `args` are more options of that node.
 * @param {import('../bench/workspace.mjs').Workspace} workspace
 */
export async function startScene(workspace, { count, bytes, args = [] }) {
  const sources = workspace.makeDirectory('sources')
  const source = await workspace.randomFile('sources/film.bin', bytes)
  const door = ['--http', '127.0.0.1:0', '--http-source', sources]
  const nodes = await Promise.all(
    Array.from({ length: count }, (_, at) =>
      workspace.startNode({
        name: `node-${at + 1}`,
        args: [
          '--log-level',
          'error',
          '--name',
          `node-${at + 1}`,
          ...(at === 0 ? [...door, ...args] : []),
        ],
      }),
    ),
  )
  const [first] = nodes
  const listening = first?.lines.find(({ event }) => event === 'listening')
  return { nodes, source, origin: `http://${listening.http}` }
}

/** A push to all nodes, begun through the door with a token where it needs one; its id. */
export async function beginPush({ nodes, source, origin }, { bytes, token, as }) {
  const rate = Math.ceil(bytes / secondsLong)
  const link = { uplinkBytesPerSecond: rate, downlinkBytesPerSecond: 2 * rate }
  const answer = await fetch(`${origin}/api/v1/transfers`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({
      kind: 'push',
      path: source,
      as: as ?? path.basename(source),
      to: nodes.map(({ address }) => ({ address, ...link })),
      uplinkBytesPerSecond: rate,
      limitUpBytesPerSecond: rate,
      rejoinMs: 0,
    }),
  })
  const told = await answer.json()
  if (!answer.ok) throw new Error(told.detail)
  return told.id
}

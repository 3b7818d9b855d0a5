/**
 * Nodes in a process of their own, one for each directory: prints their addresses and serves until
 * it is stopped. Arguments: common options in JSON (`beside`: more directories of a node, or a
 * shared one), directories.
 */
import { freeAddress } from '../../bench/programs.mjs'
import { startNode } from '../../dist/api/index.js'

const [options, ...dataDirs] = process.argv.slice(2)
const { beside = [], ...common } = JSON.parse(options)
const nodes = await Promise.all(
  dataDirs.map(async (first) => {
    const dataDir = `${beside}`.startsWith('shared:') ? beside : [first, ...beside]
    const listen = common.listen ?? (await freeAddress())
    return startNode({ ...common, listen, ...(!common.relayOnly && { dataDir }) })
  }),
)
console.log(JSON.stringify(nodes.map((node) => node.address)))
process.on('SIGTERM', () => Promise.all(nodes.map((node) => node.close())))

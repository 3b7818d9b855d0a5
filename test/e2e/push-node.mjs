// A node in a process of its own: prints its address, serves until it is killed.
import { startNode } from '../../dist/api/index.js'

const [dataDir, engine] = process.argv.slice(2)
const node = await startNode({ listen: '127.0.0.1:0', dataDir, engine, minFreeBytes: 0 })
console.log(node.address)

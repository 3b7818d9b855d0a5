/**
 * FTP: opens the door of a node for programs that fetch files so. Off until asked for.
 *
 *     const node = await startNode({ listen: '127.0.0.1:0', dataDir })
 *     const door = await openFtpDoor(node, { listen: '127.0.0.1:2121' })
 */
export { type FtpDoor, type FtpDoorOptions, openFtpDoor } from './door.js'

/** Bounds of the FTP door; what it has in common with the HTTP door is in door-limits.ts. */

const kib = 1024

export const ftpLimits = {
  /** Bytes of a command with its end: a name of any length fits. */
  lineBytes: 8 * kib,
  /** Milliseconds in which somebody logs in, and for which nobody has to say anything then. */
  loginMs: 30_000,
  idleMs: 300_000,
  /** Connections of one address that are served; those of all: doorLimits.connections. */
  connectionsPerAddress: 64,
  /** Wrong passwords on one connection, and of one address within so many milliseconds. */
  failuresPerConnection: 3,
  failuresPerAddress: 10,
  failuresMs: 600_000,
  /** Addresses whose wrong passwords are counted. */
  addresses: 4_096,
  /** Milliseconds that the answer to a wrong password takes. */
  failureMs: 1_000,
  /** Milliseconds in which a data connection is made once it is asked for, and for it to begin. */
  dataMs: 20_000,
  /** Milliseconds for which a port waits for its command. */
  portMs: 60_000,
  /** Ports of a range that are tried. */
  portTries: 64,
  /** Files and directories of one listing, names that are seen for it, listings at once. */
  entries: 10_000,
  names: 200_000,
  listings: 8,
  /** Files of a listing that are looked at at once. */
  looks: 16,
  /** Uploads at once, and bytes that stay free on their disk. */
  uploads: 16,
  roomBytes: 64 * 1024 * kib,
  /** Milliseconds after the end of an upload in which its session may end, too. */
  settleMs: 50,
  /** Facts that one may ask for (OPTS MLST). */
  facts: 16,
} as const

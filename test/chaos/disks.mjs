/**
 * Small real file systems of their own that can be made to fail, for root on Linux: a tmpfs that
 * fills up; an ext4 in a file that becomes read-only, or that stops working like a disk that was
 * pulled out: reads and writes are EIO from then on.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0

function run(command, ...args) {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Of a directory that a file system is mounted over. */
export class Disk {
  /** @param {string} directory */
  constructor(directory) {
    this.directory = directory
  }

  /** At once, also while files are open. */
  unmount() {
    spawnSync('umount', ['-l', this.directory], { stdio: 'ignore' })
  }
}

export class MemoryDisk extends Disk {
  /**
   * @param {string} directory
   * @param {string} size as for mount
   */
  constructor(directory, size) {
    super(directory)
    mkdirSync(directory, { recursive: true })
    run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory)
  }

  /** Takes all the room that is left. */
  fill() {
    const piece = Buffer.alloc(2 ** 16)
    try {
      for (;;) writeFileSync(path.join(this.directory, 'fill'), piece, { flag: 'a' })
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error
    }
  }
}

const shutdown = `
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))
`

export class FileDisk extends Disk {
  #image

  /**
   * @param {string} directory
   * @param {string} size as for truncate
   */
  constructor(directory, size) {
    super(directory)
    mkdirSync(directory, { recursive: true })
    this.#image = `${directory}.ext4`
    run('truncate', '-s', size, this.#image)
    run('mkfs.ext4', '-q', '-F', '-m', '0', this.#image)
    run('mount', '-o', 'loop,errors=remount-ro', this.#image, directory)
  }

  /** What the kernel does when it finds the file system damaged. */
  becomeReadOnly() {
    const [device] = run('losetup', '-n', '-O', 'NAME', '-j', this.#image).trim().split('\n')
    writeFileSync(`/sys/fs/ext4/${path.basename(device)}/trigger_fs_error`, '1')
  }

  die() {
    run('python3', '-c', shutdown, this.directory)
  }

  /** Whoever writes waits. */
  hang() {
    run('fsfreeze', '-f', this.directory)
  }

  thaw() {
    spawnSync('fsfreeze', ['-u', this.directory], { stdio: 'ignore' })
  }

  unmount() {
    this.thaw()
    super.unmount()
    rmSync(this.#image, { force: true })
  }
}

let probed

/** Whether this machine lets these be made. */
export function canFail() {
  probed ??= probe()
  return probed
}

function probe() {
  if (!isRoot || !existsSync('/dev/loop-control')) return false
  const directory = mkdtempSync(path.join(tmpdir(), 'fr-disk-'))
  try {
    const disk = new FileDisk(path.join(directory, 'probe'), '4M')
    try {
      disk.die()
    } finally {
      disk.unmount()
    }
    return true
  } catch {
    return false
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

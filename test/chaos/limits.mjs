/** Limits of the operating system that strike a process while it runs, for root on Linux. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/**
 * From now on it can open nothing more.
 * @param {number} pid
 */
export function limitFiles(pid) {
  execFileSync('prlimit', ['--pid', String(pid), '--nofile=1:1'])
}

const places = [
  { directory: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { directory: '/sys/fs/cgroup', limit: 'memory.max' },
]

/** A control group for processes whose further memory is bounded. */
export class MemoryGroup {
  #directory

  /**
   * Null where none can be made.
   * @param {string} name
   * @param {number} bytes
   */
  static make(name, bytes) {
    for (const { directory, limit } of places) {
      const made = path.join(directory, name)
      try {
        mkdirSync(made)
      } catch {
        continue
      }
      const group = new MemoryGroup(made)
      if (existsSync(path.join(made, limit))) {
        writeFileSync(path.join(made, limit), String(bytes))
        return group
      }
      group.remove()
    }
    return null
  }

  /** @param {string} directory */
  constructor(directory) {
    this.#directory = directory
  }

  /**
   * What it allocates from now on counts.
   * @param {number} pid
   */
  add(pid) {
    writeFileSync(path.join(this.#directory, 'cgroup.procs'), String(pid))
  }

  /** Its processes have ended. */
  remove() {
    rmdirSync(this.#directory)
  }
}

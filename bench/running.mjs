/** A started program: its output, its CPU time, and how it ends. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSeconds } from './machine.mjs'

const readyMs = 60_000
const stopMs = 5_000
/** Characters of its standard error in an error message. */
const shownChars = 4096

/** Long enough for a machine that is busy with other things. */
const usualMs = 60_000

/** Rejects when time is up. `isSo` may throw when it can no longer become true. */
export async function until(isSo, what, withinMs = usualMs, pollMs = 5) {
  const endMs = performance.now() + withinMs
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${what}`)
    await sleep(pollMs)
  }
}

export class Running {
  stdout = ''
  stderr = ''
  /** Bytes of `stdout` that `lines` has parsed, and their values. */
  #read = 0
  #lines = []
  /** CPU seconds of its whole life, read before it was killed. */
  #spent = null
  #isOver = false

  /**
   * @param {string} command
   * @param {readonly string[]} args
   * @param {import('node:child_process').SpawnOptions} options its output is read unless told else
   */
  constructor(command, args, options = {}) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    for (const name of /** @type {const} */ (['stdout', 'stderr'])) {
      this.child[name]?.setEncoding('utf8').on('data', (text) => {
        this[name] += text
      })
    }
    /**
     * Exit status, or the signal that ended it, or why it could not be started.
     * @type {Promise<number | string>}
     */
    this.ended = new Promise((resolve) => {
      const end = (how) => {
        this.#isOver = true
        resolve(how)
      }
      this.child.once('error', (error) => {
        if (this.child.pid === undefined) end(error.message)
      })
      this.child.once('close', (code, signal) => end(code ?? signal))
    })
  }

  get wasKilled() {
    return this.#spent !== null
  }

  /**
   * The whole lines of its standard output so far, each a JSON object.
   * @returns {Record<string, any>[]}
   */
  get lines() {
    const end = this.stdout.lastIndexOf('\n') + 1
    const texts = this.stdout.slice(this.#read, end).split('\n')
    this.#read = end
    for (const text of texts) if (text !== '') this.#lines.push(JSON.parse(text))
    return [...this.#lines]
  }

  /**
   * Calls the listener for every JSON line.
   * @param {(line: any) => void} listener
   */
  onLine(listener) {
    createInterface({ input: this.child.stdout }).on('line', (text) => listener(JSON.parse(text)))
  }

  /**
   * Resolves when `isSo`; rejects with all output when the program ends or time is up.
   * @param {string} what
   * @param {() => boolean} isSo
   */
  async until(what, isSo, withinMs = usualMs) {
    const endMs = performance.now() + withinMs
    for (;;) {
      const isLast = this.#isOver || performance.now() > endMs
      if (isSo()) return
      if (isLast) throw new Error(`no ${what}:\n${this.stdout}\n${await this.#complaint()}`)
      await sleep(2)
    }
  }

  /**
   * Its first line, by which it says that it is ready.
   * @param {string} what
   * @returns {Promise<any>}
   */
  async ready(what) {
    await this.until(`line of ${what}`, () => this.stdout.includes('\n'), readyMs)
    return this.lines[0]
  }

  /** Waits for its end; rejects unless its exit status is 0. */
  async succeed(what) {
    if ((await this.ended) !== 0) throw new Error(`${what}: ${await this.#complaint()}`)
  }

  async #complaint() {
    const how = this.#isOver ? await this.ended : 'still running'
    const end = typeof how === 'number' ? `exit status ${how}` : how
    return `${end} ${this.stderr.slice(-shownChars)}`
  }

  cpuSeconds() {
    return this.#spent ?? cpuSeconds(this.child.pid)
  }

  /** @param {NodeJS.Signals} signal */
  kill(signal = 'SIGKILL') {
    if (this.#isOver) return
    if (signal === 'SIGKILL') this.#spent ??= cpuSeconds(this.child.pid)
    this.child.kill(signal)
  }

  /** Stops it, by SIGKILL if necessary, and waits until it is gone. */
  async stop() {
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), stopMs)
    await this.ended
    clearTimeout(timer)
  }
}

/**
 * Splits a WAV file into descriptors, and makes one of any of them:
 *
 *     node descriptors.mjs split song.wav 4 out
 *     fr push --descriptors out/d*.wav --enough 2 --as song --nodes nodes.txt
 *     node descriptors.mjs join copy.wav DATA/song/d*.wav
 *     node descriptors.mjs quality song.wav 4 plot.svg
 *
 * `join` takes as many as are there. `quality` prints the worst, mean and best dB of all subsets,
 * line by line for one descriptor and more, and draws them.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decode, encode } from './codec.mjs'
import { plotOf, qualityOf } from './quality.mjs'

const commands = {
  split(source, count, directory) {
    const files = encode(readFileSync(source), Number(count))
    mkdirSync(directory, { recursive: true })
    for (const [i, bytes] of files.entries()) writeFileSync(join(directory, `d${i}.wav`), bytes)
  },

  join(output, ...files) {
    writeFileSync(output, decode(files.map((path) => readFileSync(path))))
  },

  quality(source, count, plot) {
    const rows = qualityOf(readFileSync(source), Number(count))
    for (const { descriptors, worst, mean, best } of rows)
      console.log(`${descriptors}: ${[worst, mean, best].map((dB) => dB.toFixed(1)).join(' ')} dB`)
    writeFileSync(plot, plotOf(rows))
  },
}

const usage = `usage: node descriptors.mjs split IN.wav N DIRECTORY
       node descriptors.mjs join OUT.wav DESCRIPTOR...
       node descriptors.mjs quality IN.wav N PLOT.svg`

const [name = '', ...args] = process.argv.slice(2)
if (Object.hasOwn(commands, name) && args.length >= (name === 'join' ? 2 : 3)) {
  try {
    commands[name](...args)
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
} else {
  console.error(usage)
  process.exitCode = 2
}

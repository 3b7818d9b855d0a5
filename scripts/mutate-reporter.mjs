/**
 * Writes what came of each mutant as it comes, a line of JSON each, and prints those that no test
 * noticed (scripts/mutate.mjs). A run that is ended before its time has told of all that it tried.
 */
import { appendFileSync } from 'node:fs'
import { relative } from 'node:path'

class Lines {
  static inject = ['options']
  #file
  #tried = 0

  constructor({ lines }) {
    this.#file = lines.file
  }

  onMutationTestingPlanReady({ mutantPlans }) {
    console.error(`${mutantPlans.length} mutants`)
  }

  onMutantTested({ fileName, status, location, mutatorName, replacement }) {
    if (status === 'Ignored') return
    const file = relative(process.cwd(), fileName)
    const { line } = location.start
    const mutant = { file, line, status, mutatorName, replacement }
    appendFileSync(this.#file, `${JSON.stringify(mutant)}\n`)
    if (++this.#tried % 50 === 0) console.error(`${this.#tried} tried`)
    if (status !== 'Survived' && status !== 'NoCoverage') return
    const by = `${mutatorName} -> ${replacement?.replaceAll(/\s+/g, ' ').slice(0, 100)}`
    console.log(`${file}:${line} ${status === 'Survived' ? 'survived' : 'is not run'}: ${by}`)
  }
}

export const strykerPlugins = [{ kind: 'Reporter', name: 'lines', injectableClass: Lines }]

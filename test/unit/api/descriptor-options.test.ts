/** What a push of descriptors is asked for, before anything happens. */
import { describe, expect, it } from 'vitest'
import { push } from '../../../src/api/index.js'
import { checkPush } from '../../../src/api/options.js'
import type { PushOptions } from '../../../src/api/types.js'

const at = ['127.0.0.1:1']
const ask = (paths: string[], more: Partial<PushOptions> = {}) =>
  checkPush(paths, { to: at, descriptors: true, ...more })

describe('descriptors', () => {
  it('have names of their own, below `as` where it is given, and one is enough', () => {
    const names = (as?: string) => {
      const { descriptors } = ask(['/a/d0', 'b/d1'], as === undefined ? {} : { as })
      return descriptors?.files.map(({ name }) => Buffer.from(name).toString())
    }
    expect(names()).toEqual(['d0', 'd1'])
    expect(names('songs/one')).toEqual(['songs/one/d0', 'songs/one/d1'])
    expect(ask(['a']).descriptors?.enough).toBe(1)
    expect(checkPush('a', { to: at }).descriptors).toBeUndefined()
  })

  it.each([
    [['a', 'b'], { enough: 3 }, 'enough must be a whole number from 1 to 2, not 3'],
    [['a', 'b'], { enough: 0 }, 'enough must be a whole number from 1 to 2, not 0'],
    [['x/a', 'y/a'], {}, 'descriptors has two files of the name a'],
    [Array.from({ length: 33 }, (_, i) => `d${i}`), {}, 'descriptors must be at most 32, not 33'],
    [['a'], { strategy: 'classic' }, 'strategy classic deals parts'],
    [['a'], { shape: 'unicast' }, 'shape unicast has no relays'],
    [['a'], { descriptors: false, enough: 1 }, 'enough needs descriptors'],
  ] as [string[], Partial<PushOptions>, string][])('are refused: %j %j', (paths, more, text) => {
    expect(() => ask(paths, more)).toThrow(text)
    expect(() => ask(paths, more)).toThrow(TypeError)
  })

  it('are paths', () => {
    const options = { to: at, descriptors: true, as: 'x' }
    expect(() => push(new Uint8Array(1), options)).toThrow('descriptors must be paths')
  })

  it.each([
    [{ allowAdd: true }, 'allowAdd'],
    [{ relays: ['127.0.0.1:2'] }, 'relays'],
    [{ compress: 'zstd' }, 'compress'],
    [{ exclude: ['*.o'] }, 'exclude'],
  ] as [Partial<PushOptions>, string][])('do not go with %j', (more, name) => {
    expect(() => ask(['a'], more)).toThrow(`this version pushes no descriptors with ${name}`)
  })
})

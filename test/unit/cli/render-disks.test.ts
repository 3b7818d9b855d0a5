/** What `fr disks` prints. */
import { expect, it } from 'vitest'
import type { DiskStatus } from '../../../src/api/types.js'
import { diskLines } from '../../../src/cli/render/disks.js'
import { MIB, plain } from './support.js'

const disk = (over: Partial<DiskStatus> = {}): DiskStatus => ({
  ...{ event: 'disk', node: '10.0.0.2:7400', path: '/a', state: 'ok', problems: [] },
  ...{ bytes: 8 * MIB, freeBytes: 4 * MIB, held: { files: 2, bytes: 3 * MIB } },
  ...{ partialBytes: 0, transfers: 1, waitingBytes: MIB, speedBytesPerSecond: null },
  activity: {
    ...{ busy: 0.25, requestMs: 1.25 },
    ...{ readBytesPerSecond: 0, writtenBytesPerSecond: 1_000_000 },
  },
  ...over,
})

it('is a row for each disk, and a line for each problem', () => {
  const missing = disk({
    ...{ path: '/b\u001b', state: 'missing', problems: ['no such\ndirectory'], bytes: null },
    ...{ freeBytes: 0, held: { files: 0, bytes: 0 }, transfers: 0, activity: null },
  })
  const [titles, first, second, problem, ...rest] = diskLines([disk(), missing], plain, false)
  const columns = ['disk', 'state', 'free', 'of', 'holds', 'landing', 'busy', 'request', 'writes']
  expect(titles?.split(/\s+/)).toEqual(columns)
  expect(first).toContain('2 files, 3.00 MiB')
  expect(first).toContain('1.00 MiB of 1 file')
  expect(first).toMatch(/^\/a .* 25% +1\.\d ms /)
  expect(second).toMatch(/^\/b\\x1b +missing +- +- +- +- +- +- +-$/)
  expect(problem).toBe('/b\\x1b: no such\\x0adirectory')
  expect(rest).toEqual([])
})

it('says which node a disk is of, where several were asked', () => {
  const [titles, first] = diskLines([disk()], plain, true)
  expect(titles).toMatch(/^node +disk/)
  expect(first).toMatch(/^10\.0\.0\.2:7400 +\/a/)
})

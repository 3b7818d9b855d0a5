/** Who may connect to an FTP door and try passwords there. */
import { expect, it } from 'vitest'
import { ftpLimits } from '../../../../src/base/ftp-limits.js'
import { Admission } from '../../../../src/doors/ftp/admission.js'
import { Turns } from '../../../../src/doors/ftp/turns.js'

it('lets so many connect, of one address and of all', () => {
  const most = ftpLimits.connectionsPerAddress + 1
  const admission = new Admission({ most })
  for (let i = 1; i < most; i++) expect(admission.enter('10.0.0.1')).toBe(null)
  expect(admission.enter('10.0.0.1')).toContain('from your address')
  expect(admission.enter('10.0.0.2')).toBe(null)
  expect(admission.enter('10.0.0.3')).toContain('too many')
  admission.leave('10.0.0.1')
  expect(admission.enter('10.0.0.1')).toBe(null)
})

it('shuts out an address that guesses, for a while, and no other', () => {
  let now = 0
  const admission = new Admission({ most: 9, now: () => now })
  for (let i = 1; i < ftpLimits.failuresPerAddress; i++) {
    expect(admission.failed('10.0.0.1')).toBe(false)
    now++
  }
  expect(admission.isShutOut('10.0.0.1')).toBe(false)
  expect(admission.failed('10.0.0.1')).toBe(true)
  expect(admission.isShutOut('10.0.0.1')).toBe(true)
  expect(admission.isShutOut('10.0.0.2')).toBe(false)
  now = ftpLimits.failuresMs
  expect(admission.isShutOut('10.0.0.1')).toBe(false)
})

it('remembers so many addresses', () => {
  const admission = new Admission({ most: 9, now: () => 0 })
  const guess = (address: string): void => {
    for (let i = 0; i < ftpLimits.failuresPerAddress; i++) admission.failed(address)
  }
  guess('10.0.0.1')
  for (let i = 1; i < ftpLimits.addresses; i++) admission.failed(`11.0.${i >> 8}.${i & 255}`)
  expect(admission.isShutOut('10.0.0.1')).toBe(true)
  admission.failed('12.0.0.1')
  expect(admission.isShutOut('10.0.0.1')).toBe(false)
})

it('takes so many turns at once', async () => {
  const turns = new Turns(2)
  const ends: (() => void)[] = []
  const work = () => turns.run(() => new Promise<void>((resolve) => ends.push(resolve)))
  const all = [work(), work(), work().catch(() => {})]
  await Promise.resolve()
  expect(ends.length).toBe(2)
  ends[0]?.()
  await all[0]
  await new Promise((resolve) => setImmediate(resolve))
  expect(ends.length).toBe(3)
  for (const end of ends) end()
  await Promise.all(all)
  await expect(turns.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await turns.run(async () => 1)).toBe(1)
})

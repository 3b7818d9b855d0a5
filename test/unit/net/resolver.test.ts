/** Look-ups of names: shared, with a time of their own, and given up without being cancelled. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { type HostLookup, systemLookup, withinProcess } from '../../../src/net/lookup.js'
import { Resolver } from '../../../src/net/resolver.js'

type Answer = Parameters<HostLookup>[1]

/** Look-ups that end when the test says so. */
function manual(lookupMs?: number) {
  const asked: string[] = []
  const cancelled: string[] = []
  const open = new Map<string, Answer>()
  const lookup: HostLookup = (host, callback) => {
    asked.push(host)
    open.set(host, callback)
    return () => {
      cancelled.push(host)
    }
  }
  const answer = (host: string, ...found: string[]): void => {
    const callback = open.get(host) as Answer
    open.delete(host)
    callback(null, found)
  }
  const refuse = (host: string, code: string): void =>
    (open.get(host) as Answer)(Object.assign(new Error('no'), { code, errno: -3008 }), [])
  const resolver = new Resolver({ lookup, ...(lookupMs !== undefined && { lookupMs }) })
  return { resolver, asked, cancelled, answer, refuse }
}

describe('a resolver', () => {
  it('looks a host up once for all who ask, now and later', async () => {
    const { resolver, asked, answer } = manual()
    const both = [resolver.resolve('a'), resolver.resolve('a')]
    expect(resolver.knows('a')).toBe(false)
    answer('a', '10.0.0.1')
    expect(await Promise.all(both)).toEqual([['10.0.0.1'], ['10.0.0.1']])
    expect(await resolver.resolve('a')).toEqual(['10.0.0.1'])
    expect(resolver.knows('a')).toBe(true)
    expect(asked).toEqual(['a'])
  })

  it('asks nobody about an IP address', async () => {
    const { resolver, asked } = manual()
    expect(resolver.knows('::1')).toBe(true)
    expect(await resolver.resolve('::1')).toEqual(['::1'])
    expect(await resolver.resolve('10.0.0.9')).toEqual(['10.0.0.9'])
    expect(asked).toEqual([])
  })

  it('gives the families in turn, each address once, and no more than are tried', async () => {
    const { resolver, answer } = manual()
    const some = resolver.resolve('a')
    answer('a', '::1', '::2', '::2', '10.0.0.1')
    expect(await some).toEqual(['::1', '10.0.0.1', '::2'])
    const many = resolver.resolve('b')
    answer('b', ...Array.from({ length: 50 }, (_, i) => `10.0.1.${i}`))
    expect(await many).toHaveLength(limits.addressesPerHost)
  })

  it('tries first what worked', async () => {
    const { resolver, answer } = manual()
    const first = resolver.resolve('a')
    answer('a', '10.0.0.1', '10.0.0.2', '10.0.0.3')
    await first
    resolver.prefer('a', '10.0.0.3')
    resolver.prefer('a', '192.168.0.1')
    expect(await resolver.resolve('a')).toEqual(['10.0.0.3', '10.0.0.1', '10.0.0.2'])
  })

  it('does not remember a failure', async () => {
    const { resolver, asked, answer, refuse } = manual()
    const failed = resolver.resolve('a')
    refuse('a', 'EAI_AGAIN')
    await expect(failed).rejects.toMatchObject({
      code: 'ERR_FR_UNREACHABLE',
      message: 'the name a cannot be looked up (EAI_AGAIN)',
    })
    const empty = resolver.resolve('a')
    answer('a')
    await expect(empty).rejects.toThrow('(no address)')
    const again = resolver.resolve('a')
    answer('a', '10.0.0.1')
    await again
    expect(asked).toEqual(['a', 'a', 'a'])
  })

  it('runs a bounded number at a time', async () => {
    const { resolver, asked, answer } = manual()
    const hosts = Array.from({ length: limits.lookupsAtOnce + 2 }, (_, i) => `h${i}`)
    const all = hosts.map((host) => resolver.resolve(host))
    expect(asked).toEqual(hosts.slice(0, -2))
    answer('h1', '10.0.0.2')
    expect(asked).toEqual(hosts.slice(0, -1))
    for (const host of hosts.filter((name) => name !== 'h1')) answer(host, '10.0.0.1')
    expect(await Promise.all(all)).toHaveLength(hosts.length)
  })

  it('is patient as long as look-ups end, however many wait', async () => {
    const { resolver, answer } = manual(120)
    const hosts = ['a', 'b', 'c', 'd', 'e', 'f']
    const all = Promise.all(hosts.map((host) => resolver.resolve(host)))
    all.catch(() => undefined)
    for (const host of hosts) {
      await new Promise((resolve) => setTimeout(resolve, 40))
      answer(host, '10.0.0.1')
    }
    expect(await all).toHaveLength(hosts.length)
  })

  it('gives up all that wait when none ends, and says whose fault it is', async () => {
    const { resolver } = manual(30)
    const errors = await Promise.all(
      ['a', 'b', 'c'].map((host) => resolver.resolve(host).catch((error: unknown) => error)),
    )
    for (const [i, error] of errors.entries()) {
      expect(error).toMatchObject({ code: 'ERR_FR_UNREACHABLE' })
      expect(String(error)).toContain(`the look-up of the name ${'abc'[i]} got no answer`)
    }
  })

  it('cancels what it gives up, and asks anew when somebody asks again', async () => {
    const { resolver, asked, cancelled, answer } = manual(30)
    await expect(resolver.resolve('a')).rejects.toThrow('no answer')
    expect(cancelled).toEqual(['a'])
    const later = resolver.resolve('a')
    expect(asked).toEqual(['a', 'a'])
    answer('a', '10.0.0.1')
    expect(await later).toEqual(['10.0.0.1'])
  })

  it('lets a caller go who is cancelled, and no other', async () => {
    const { resolver, asked, cancelled, answer } = manual()
    const controller = new AbortController()
    const gone = resolver.resolve('a', controller.signal)
    const stays = resolver.resolve('a')
    const alone = resolver.resolve('b', controller.signal)
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(gone).rejects.toMatchObject({ code: 'ERR_FR_ABORTED', cause: reason })
    await expect(alone).rejects.toMatchObject({ code: 'ERR_FR_ABORTED' })
    await expect(resolver.resolve('d', controller.signal)).rejects.toThrow('cancelled')
    answer('a', '10.0.0.1')
    expect(await stays).toEqual(['10.0.0.1'])
    expect(asked).toEqual(['a', 'b'])
    expect(cancelled).toEqual(['b'])
  })

  it.each([
    ['in a process of its own', systemLookup],
    ['in this process', withinProcess],
  ])('asks the system %s', async (_, lookup) => {
    const resolver = new Resolver({ lookup })
    expect(await resolver.resolve('localhost')).toContain('127.0.0.1')
    await expect(resolver.resolve('no-such-name.invalid')).rejects.toMatchObject({
      code: 'ERR_FR_UNREACHABLE',
      message: expect.stringContaining('the name no-such-name.invalid cannot be looked up ('),
    })
  })
})

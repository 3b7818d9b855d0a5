/** The queues of the lab as lines for ip and tc. */
import { describe, expect, test } from 'vitest'
import {
  fairQueue,
  fairQueueChange,
  hostLines,
  routerLines,
  tbf,
} from '../../../bench/lab/shaping.mjs'

const addressOf = (host: number) => `10.99.0.${host + 1}`

describe('a token bucket', () => {
  test('holds 4 ms at its rate, and 32 KiB at least', () => {
    expect(tbf('eth0', 200)).toEqual([
      'qdisc add dev eth0 root tbf rate 200000000bit burst 100000 latency 25ms',
    ])
    expect(tbf('p1', 12.5)).toEqual([
      'qdisc add dev p1 root tbf rate 12500000bit burst 32768 latency 25ms',
    ])
  })

  test('that is changed has room for the largest packet that waits', () => {
    expect(tbf('eth0', 20, 'change')).toEqual([
      'qdisc change dev eth0 root tbf rate 20000000bit burst 73728 latency 25ms',
    ])
  })

  test('is none on an unlimited link', () => {
    expect(tbf('eth0', Number.POSITIVE_INFINITY)).toEqual([])
    expect(fairQueue(Number.POSITIVE_INFINITY, [1, 2], addressOf)).toEqual([])
  })
})

describe('a fair uplink', () => {
  test('has a class, a queue and a filter for each destination, and a class for the rest', () => {
    const lines = fairQueue(100, [1, 2], addressOf)
    // Small packets have a filter of their own, into the class for the rest.
    expect(lines).toHaveLength(4 + 2 * 3)
    expect(lines.filter((line) => line.startsWith('filter'))).toHaveLength(3)
    expect(lines.filter((line) => line.startsWith('class'))).toHaveLength(4)
    expect(lines.filter((line) => line.includes('ceil 100000000bit'))).toHaveLength(4)
    expect(lines).toContainEqual(expect.stringContaining('match ip dst 10.99.0.3/32 flowid 1:5'))
  })

  test('changes in place, class by class', () => {
    const lines = fairQueueChange(30, [1, 2])
    const [classes, queues] = [lines.slice(0, 4), lines.slice(4)]
    expect(classes.map((line) => /classid (\S+) htb rate (\d+)bit/.exec(line)?.slice(1))).toEqual([
      ['1:1', '30000000'],
      ['1:2', '10000000'],
      ['1:4', '10000000'],
      ['1:5', '10000000'],
    ])
    // 25 ms of it, and room for what waits.
    expect(queues).toEqual(
      ['1:4', '1:5'].map((at) => `qdisc change dev eth0 parent ${at} bfifo limit 93750`),
    )
  })
})

describe('one queue for all', () => {
  test('hosts know only the way to the router, and the router the way back', () => {
    expect(hostLines('10.99.0.1', true)).toEqual([
      'link set lo up',
      'address add 10.99.0.1/32 dev eth0',
      'link set eth0 up',
      'route add 10.99.255.254 dev eth0',
      'route add default via 10.99.255.254',
    ])
    expect(routerLines).toContain('route add 10.99.0.0/24 dev eth0')
    expect(hostLines('10.99.0.1', false)).not.toContainEqual(expect.stringContaining('route'))
  })
})

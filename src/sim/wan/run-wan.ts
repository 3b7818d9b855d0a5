/** One seed of a master with its nodes: run it, and check what must hold at its end. */
import { drawnWan } from './mix.js'
import type { WanScenario } from './scenario.js'
import { judge } from './verdict.js'
import { WanWorld } from './world.js'

/** Throws with what did not hold. */
export function runWanSeed(seed: number): WanWorld {
  return runWan(drawnWan(seed).scenario)
}

export function runWan(scenario: WanScenario): WanWorld {
  const world = new WanWorld(scenario)
  world.run()
  judge(world)
  return world
}

/** How one member dials another where gateways are between them. */

/** Where a member is: HOST:PORT, and the gateway behind which that is. */
export interface Behind {
  readonly address: string
  readonly via?: string
}

export interface WayThere {
  /** The gateway through which the other one is dialled; absent: it is dialled directly. */
  readonly via?: string
  /** The gateway through which that one is dialled. */
  readonly through?: string
}

/** Members behind the same gateway stand in one network, and it stands in that network, too. */
export function wayBetween(from: Behind, to: Behind): WayThere {
  if (from.via === to.via || from.via === to.address || to.via === from.address) return {}
  const via = to.via ?? from.via
  return {
    ...(via !== undefined && { via }),
    ...(to.via !== undefined && from.via !== undefined && { through: from.via }),
  }
}

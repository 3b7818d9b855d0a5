/** Ports of which some members are replaced. */

/**
 * The same object, but for the members that `own` has. What calls itself inside it does not see
 * them; methods keep their object, which may have private members.
 */
export function overlaid<T extends object>(target: T, own: Partial<T>): T {
  return new Proxy(target, {
    get: (_, key) => {
      if (key in own) return Reflect.get(own, key)
      const member: unknown = Reflect.get(target, key)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

/** A copy that shares nothing with `value`, so that nobody changes what others see. */
export function cloneOf<T>(value: T): T {
  return value === undefined ? value : structuredClone(value);
}

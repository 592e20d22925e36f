// Checks of what applications give, each a sentence that names the argument.

/** @throws TypeError unless it is an object, or nothing. */
export function checkAppData(appData: unknown): void {
  if (appData !== undefined && appData !== null && typeof appData !== 'object') {
    throw new TypeError('if given, appData must be an object');
  }
}

/** @throws TypeError unless it is a number within the range, or nothing. */
export function checkNumber(value: unknown, name: string, min: number, max: number): number | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== 'number' || Number.isNaN(value) || value < min || value > max) {
    throw new TypeError(`${name} must be a number from ${min} to ${max}, not ${JSON.stringify(value)}`);
  }
  return value;
}

/** @throws TypeError unless it is a whole number within the range, or nothing. */
export function checkWhole(value: unknown, name: string, min: number, max: number): number | undefined {
  const number = checkNumber(value, name, min, max);
  if (number !== undefined && !Number.isInteger(number)) {
    throw new TypeError(`${name} must be a whole number, not ${number}`);
  }
  return number;
}

/** @throws TypeError unless it is a text, or nothing. */
export function checkText(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== 'string') {
    throw new TypeError(`${name} must be a string`);
  }
  return value;
}

/** @throws TypeError unless it is an object. */
export function checkObject(value: unknown, name: string): void {
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(`missing ${name}: it must be an object`);
  }
}

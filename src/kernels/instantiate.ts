/** Compiled kernels over a memory: what they export. */

/** See assembly/index.ts. */
export interface Kernels {
  execute(at: number, count: number): void;
  /** Multiply-adds in registers, from and to 1 KiB of memory; wide ones in vectors side by side, as far as the engine pairs them. */
  multiplyAddPeak(at: number, iterations: number, factor: number, addend: number): void;
  multiplyAddPeakWide(at: number, iterations: number, factor: number, addend: number): void;
  /** Floating-point operations of one iteration. */
  multiplyAddFlops(wide: boolean): number;
  blockVersion(): number;
}

/** Instantiates the kernels over a shared memory. They bring no data of their own, so nothing in it changes. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Kernels;
}

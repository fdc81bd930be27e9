/** Datasets: labelled images that stay on disk or are made on the fly, because a Pi has little memory; only labels are held. */

/** Channels, rows and columns of one image. */
export type ImageShape = readonly [channels: number, rows: number, columns: number];

/** Two IDX files. `split` decides under which keys of the job file errors name them: `data.images` or `data.testImages`. */
export interface IdxSource {
  readonly kind: 'idx';
  readonly images: string;
  readonly labels: string;
  readonly split: 'train' | 'test';
}

/** Noise, for jobs where only speed and memory matter. */
export interface RandomSource {
  readonly kind: 'random';
  /** Images, at least 1. */
  readonly count: number;
  readonly seed: number;
}

/** Where a data set comes from. */
export type DatasetSource = IdxSource | RandomSource;

/** What the model wants of its data. */
export interface DatasetWanted {
  /** Labels must be below this. */
  readonly classes: number;
  /** The model's input. */
  readonly shape: ImageShape;
}

export interface Dataset extends AsyncDisposable {
  /** Number of images, at least 1. */
  readonly count: number;
  readonly shape: ImageShape;
  /** Class of each image, all of them below the number of classes. */
  readonly labels: Uint8Array;
  /**
   * Reads images, each as channels x rows x columns unsigned bytes, the k-th of `indices` to byte k · c·h·w of `target`.
   * @param target may lie over shared WebAssembly memory; what lies beyond the images stays as it is
   * @throws {InputError} `dataTruncated`, `dataUnreadable` when the file changed or vanished under us
   */
  read(indices: ArrayLike<number>, target: Uint8Array): Promise<void>;
  /** Closes the file; idempotent. */
  close(): Promise<void>;
}

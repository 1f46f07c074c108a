// Times BMP on a CSR set, for bench/peers/sparse.sh: PREFIX BLOCK PASSES K..., of each query the fastest pass.
// Goes into the bin folder of a checkout of BMP (1078542) whose src/search.rs records the nanoseconds of each query in TIMES, a static
// Mutex<Vec<u64>>, where it adds up its own, and whose term ids are u32 in src/index/forward_index.rs and src/search.rs: its u16 would alias
// a vocabulary of 128,256. Search is untouched otherwise: queries of 5 bits, sums of 16, the last block left out.
use bmp::index::forward_index::{fwd2bfwd, ForwardIndexBuilder};
use bmp::index::inverted_index::IndexBuilder;
use bmp::search::{b_search_verbose, TIMES};
use std::fs::File;
use std::io::Read;
struct Csr { cols: usize, ptr: Vec<i64>, idx: Vec<i32>, val: Vec<f32> }
fn read_vec<T: Copy + Default>(f: &mut File, n: usize) -> Vec<T> {
    let mut v = vec![T::default(); n];
    let bytes = unsafe { std::slice::from_raw_parts_mut(v.as_mut_ptr() as *mut u8, n * std::mem::size_of::<T>()) };
    f.read_exact(bytes).unwrap();
    v
}
fn read(path: &str) -> Csr {
    let mut f = File::open(path).unwrap();
    let h: Vec<i64> = read_vec(&mut f, 3);
    let ptr = read_vec(&mut f, h[0] as usize + 1);
    let idx = read_vec(&mut f, h[2] as usize);
    let val = read_vec(&mut f, h[2] as usize);
    Csr { cols: h[1] as usize, ptr, idx, val }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let b: usize = a[2].parse().unwrap();
    let passes: usize = a[3].parse().unwrap();
    let (index, fwd) = {
        let d = read(&format!("{}.docs.csr", a[1]));
        let n = d.ptr.len() - 1;
        let order: Vec<u32> = read_vec(&mut File::open(format!("{}.bp.u32", a[1])).unwrap(), n);
        let scale = d.val.iter().cloned().fold(0f32, f32::max) / 255.0;
        let mut builder = IndexBuilder::new(n, b);
        for t in 0..d.cols { builder.insert_term(&t.to_string(), Vec::new()); }
        let mut fb = ForwardIndexBuilder::new(0);
        for (place, &doc) in order.iter().enumerate() {
            let (s, e) = (d.ptr[doc as usize] as usize, d.ptr[doc as usize + 1] as usize);
            let mut v: Vec<(u32, u32)> = (s..e).map(|i| (d.idx[i] as u32, ((d.val[i] / scale).round() as u32).clamp(1, 255))).collect();
            for &(t, w) in &v { builder.push_posting(t, place as u32, w); }
            v.shrink_to_fit();
            fb.insert_document(v);
            builder.insert_document("");
        }
        drop(d);
        let index = builder.build(false);
        let f = fb.build();
        let bf = fwd2bfwd(&f, b);
        (index, bf)
    };
    let q = read(&format!("{}.queries.csr", a[1]));
    let m = q.ptr.len() - 1;
    let make = |i: usize| {
        let (s, e) = (q.ptr[i] as usize, q.ptr[i + 1] as usize);
        let max = q.val[s..e].iter().cloned().fold(0f32, f32::max);
        (s..e).filter(|&j| q.val[j] > 0.0).flat_map(|j| index.get_cursor(&q.idx[j].to_string(), ((q.val[j] / max * 32.0).ceil() as u32).max(1))).collect::<Vec<_>>()
    };
    for k in a[4..].iter().map(|x| x.parse::<usize>().unwrap()) {
        let mut best = vec![u64::MAX; m];
        for _ in 0..=passes {
            TIMES.lock().unwrap().clear();
            let r = b_search_verbose((0..m).map(make).collect(), &fwd, k, 1.0, 1.0, false);
            assert_eq!(r.len(), m);
            for (x, y) in best.iter_mut().zip(TIMES.lock().unwrap().iter()) { *x = (*x).min(*y); }
        }
        let mut s = best.clone();
        s.sort();
        println!("BMP b={} k={} mean {:.4} p50 {:.4} p99 {:.4}", b, k, best.iter().sum::<u64>() as f64 / m as f64 / 1e6, s[m / 2] as f64 / 1e6, s[m * 99 / 100] as f64 / 1e6);
    }
}

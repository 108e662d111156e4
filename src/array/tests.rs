//! Headers, views, sharing and the limits of safe access.
use super::*;
use smallvec::smallvec;
use std::sync::{atomic::AtomicBool, Arc, OnceLock};

fn counting(n: usize) -> Array {
    Array::from_slice(DType::F64, &(0..n).map(|i| i as f64).collect::<Vec<_>>()).unwrap()
}
#[test]
fn views_share_and_keep_their_root() {
    for n in [6, 600] {
        let a = counting(n);
        let v = a.view("test", smallvec![2, 3], smallvec![3, -1], 2).unwrap();
        drop(a);
        assert_eq!(v.to_vec::<f64>().unwrap(), [2., 1., 0., 5., 4., 3.]);
        let w = v.view("test", smallvec![3], smallvec![-1], 0).unwrap();
        drop(v);
        assert_eq!(w.to_vec::<f64>().unwrap(), [2., 1., 0.]);
    }
}
#[test]
fn views_cannot_leave_the_storage() {
    let a = counting(6);
    assert!(a.view("test", smallvec![7], smallvec![1], 0).is_err());
    assert!(a.view("test", smallvec![3], smallvec![-1], 1).is_err());
    let part = a.view("test", smallvec![2], smallvec![1], 2).unwrap();
    assert_eq!(part.view("test", smallvec![3], smallvec![-1], 0).unwrap().to_vec::<f64>().unwrap(), [2., 1., 0.]);
}
#[test]
fn writes_are_seen_by_views_and_counted() {
    let a = counting(6);
    let even = a.view("test", smallvec![3], smallvec![2], 0).unwrap();
    assign("test", &even, &counting(6).view("test", smallvec![3], smallvec![1], 3).unwrap()).unwrap();
    assert_eq!(a.to_vec::<f64>().unwrap(), [3., 1., 4., 3., 5., 5.]);
    assert_eq!((a.version(), even.version()), (1, 1));
    // overlapping source and target
    let (head, tail) =
        (a.view("t", smallvec![5], smallvec![1], 0).unwrap(), a.view("t", smallvec![5], smallvec![1], 1).unwrap());
    assign("test", &tail, &head).unwrap();
    assert_eq!(a.to_vec::<f64>().unwrap(), [3., 3., 1., 4., 3., 5.]);
}
#[test]
fn a_shared_array_is_not_writable_as_a_slice() {
    let mut a = counting(3);
    let b = a.clone();
    assert!(a.slice_mut::<f64>().is_err());
    drop(b);
    assert!(a.slice_mut::<f64>().is_ok() && a.slice_mut::<f32>().is_err());
}
#[test]
fn foreign_memory_is_kept_and_respected() {
    let keep = Box::new(vec![1.0f64, 2.0, 3.0]);
    let data = keep.as_ptr() as *mut u8;
    // SAFETY: the vector is kept by the array and never written.
    let a = unsafe { Array::foreign(data, DType::F64, smallvec![3], smallvec![1], keep, false) }.unwrap();
    let v = a.view("test", smallvec![3], smallvec![-1], 2).unwrap();
    drop(a);
    assert_eq!(v.to_vec::<f64>().unwrap(), [3., 2., 1.]);
    assert!(assign("test", &v, &counting(3)).is_err());
}
#[test]
fn handles_cross_threads() {
    let a = counting(1000);
    std::thread::scope(|s| {
        for _ in 0..4 {
            let a = a.clone();
            s.spawn(move || {
                for _ in 0..100 {
                    let b = a.clone();
                    assert_eq!(b.slice::<f64>().unwrap()[999], 999.0);
                }
            });
        }
    });
    assert!(a.is_unique());
}
#[test]
fn parts_are_taken_once_and_joined_when_all_are_back() {
    let parts = Parts::new("test", smallvec![2, 5], DType::F64, 4).unwrap();
    let mut taken: Vec<Array> = (0..3).map(|i| parts.take(i).unwrap()).collect();
    assert!(parts.take(1).is_none() && parts.take(3).is_none());
    for (i, part) in taken.iter_mut().enumerate() {
        assert!(part.is_unique() && !part.is_spare());
        part.slice_mut::<f64>().unwrap().fill(i as f64);
    }
    let held = taken.pop();
    drop(taken);
    assert_eq!(held.as_ref().map(Array::len), Some(2));
    drop(held);
    let whole = parts.join().unwrap();
    assert!(whole.is_spare());
    assert_eq!(whole.to_vec::<f64>().unwrap(), [0., 0., 0., 0., 1., 1., 1., 1., 2., 2.]);
    let parts = Parts::new("test", smallvec![2], DType::F64, 4).unwrap();
    let _held = parts.take(0);
    assert!(parts.join().is_err());
}

/// Twice an array, computed when it is asked for.
struct Doubled {
    of: Array,
    kept: OnceLock<Array>,
    forgotten: AtomicBool,
}
impl Promise for Doubled {
    fn keep(self: Arc<Self>, _: usize) -> Result<Array> {
        let double = |x: &f64| 2.0 * x;
        let numbers: Vec<f64> = self.of.to_vec()?.iter().map(double).collect();
        let made = Array::from_slice(DType::F64, &numbers)?;
        Ok(self.kept.get_or_init(|| made).clone())
    }
    fn keep_all(self: Arc<Self>) -> Result<()> {
        self.keep(0).map(|_| ())
    }
    fn pending(&self) -> bool {
        self.kept.get().is_none()
    }
    fn forget(&self, _: usize) {
        self.forgotten.store(true, Ordering::Relaxed);
    }
}
#[test]
fn what_was_put_off_is_computed_when_read_and_before_writes() {
    // Tests that write on other threads compute what is on the list.
    let make = |of: &Array, listed: bool| {
        let promise = Arc::new(Doubled { of: of.clone(), kept: OnceLock::new(), forgotten: AtomicBool::new(false) });
        let array = Array::later("test", smallvec![6], DType::F64, promise.clone(), 0).unwrap();
        let asked: Arc<dyn Promise> = promise.clone();
        if listed {
            put_off(&asked, 48);
        }
        (promise, array)
    };
    let doubled = [0., 2., 4., 6., 8., 10.];
    let a = counting(6);
    let (promise, read) = make(&a, false);
    assert!(promise.pending() && read.promise::<Doubled>().is_some() && !read.is_unique());
    assert_eq!(read.view("test", smallvec![3], smallvec![2], 0).unwrap().to_vec::<f64>().unwrap(), [0., 4., 8.]);
    assert!(!promise.pending() && read.promise::<Doubled>().is_none());
    let (promise, written) = make(&a, true);
    assign("test", &a, &Array::zeros("test", smallvec![6], DType::F64).unwrap()).unwrap();
    assert!(!promise.pending());
    assert_eq!(written.to_vec::<f64>().unwrap(), doubled);
    let a = counting(6);
    let (promise, lent) = make(&a, true);
    assert!(a.is_private());
    let loan = a.lend().unwrap();
    assert!(!promise.pending() && !a.is_private());
    drop(loan);
    assert!(a.is_private());
    assert_eq!(lent.to_vec::<f64>().unwrap(), doubled);
    drop(lent);
    assert!(promise.forgotten.load(Ordering::Relaxed));
}

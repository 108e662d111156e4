//! Headers, views, sharing and the limits of safe access.
use super::*;
use smallvec::smallvec;

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

/// Stores a value of an older type, takes a checkpoint, and restores it as the type of today.
fn evolved<O, N>(old: O) -> Result<N, String>
where
    O: holdwater::schema::Data,
    N: holdwater::schema::Data,
{
    use holdwater::checkpoint::{Config, Solo, SoloJob};
    use holdwater::key::KeyGroups;
    use holdwater::state::{Backend, Descriptor, State, States, Value, Visitor};
    use holdwater_heap::{Heap, HeapValue};
    use holdwater_memory::Memory;

    struct One<V: holdwater::schema::Data>(HeapValue<u64, V>);

    impl<V: holdwater::schema::Data> States for One<V> {
        type Error = holdwater_heap::HeapError;

        fn each<W: Visitor<Self::Error>>(&mut self, visitor: &mut W) -> Result<(), W::Stop> {
            visitor.state(&mut self.0)
        }
    }

    fn open<V: holdwater::schema::Data>() -> Result<One<V>, String> {
        let mut heap = Heap::new(KeyGroups::all(8));
        let state = heap.value(Descriptor::<u64, V>::new("value"));
        state.map(One).map_err(|error| error.to_string())
    }

    let (storage, at) = (Memory::default(), KeyGroups::all(8).locate::<u64>(1));
    let job = SoloJob {
        id: 1,
        operator: "accounts".into(),
        key_groups: 8,
        config: Config { retain: 1, full_every: 10 },
    };
    let mut states = open::<O>()?;
    let solo = Solo::open(storage.clone(), job.clone(), &mut states);
    let mut solo = solo.map_err(|error| error.to_string())?;
    states.0.put(at, old).map_err(|error| error.to_string())?;
    solo.checkpoint(&mut states, &[], 0).map_err(|error| error.to_string())?;
    let mut states = open::<N>()?;
    Solo::open(storage, job, &mut states).map_err(|error| error.to_string())?;
    assert_eq!(states.0.rows(), 1);
    let value = states.0.get(at).map_err(|error| error.to_string())?;
    Ok(value.expect("it was restored").clone())
}

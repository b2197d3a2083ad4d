from tests.journey.test_order import *
async def test_x(database):
    story=[touchpoint("m0",0,type="alias",user_id="ana",previous_id="d1"),touchpoint("m1",0,event="Report Exported",anonymous_id="d1"),touchpoint("m2",0,event="Report Exported",anonymous_id="d1"),
     touchpoint("m5",0,type="group",anonymous_id="d1",group_id="acme"),touchpoint("m6",0,type="alias",user_id="bia",previous_id="d1")]
    named=identifiers_of(story)
    b=shuffled(story,1); print([[x.message_id for x in y] for y in b])
    x=await outcome(database,b,named); y=await outcome(database,[story],named)
    for k in x:
        if x[k]!=y[k]: print(k); print(x[k]); print(y[k])
    assert 0
